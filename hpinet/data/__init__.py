"""Folders of images: pairs of LR and HR, and the decoded cache that training reads."""
