"""Reports as HTML and Markdown with SVG figures."""
