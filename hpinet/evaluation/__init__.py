"""The paper's protocol on folders of images, and the tables beside the paper's."""
