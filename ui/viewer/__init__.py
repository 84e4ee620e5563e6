"""The live viewer: numbers go to the browser once, and are drawn, zoomed and compared there."""
