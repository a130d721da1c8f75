"""Values of input files to values of a column's type: strict, counted, vectorised. No I/O."""
