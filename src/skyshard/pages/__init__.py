"""What pages of every kind share: the template, figures as SVG, maps of the sky. Knows no subject."""
