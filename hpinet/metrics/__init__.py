"""PSNR, SSIM, LPIPS, and how sure a mean is."""
