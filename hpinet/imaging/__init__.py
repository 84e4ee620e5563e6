"""Images at the boundary: reading, writing, conversion, and MATLAB's bicubic."""
