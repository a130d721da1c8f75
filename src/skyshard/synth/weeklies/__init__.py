"""Weekly reprocessings of one synthetic sky, as trees of files that a Butler leaves, with the truth about them."""
