"""What commands share: input and output streams, answers on a screen or in files, errors of the machine."""
