"""The commands, one module each: parse, build one value, call one function, print."""
