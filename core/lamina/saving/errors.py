"""Words for files that cannot be loaded: what no file may ask for, and what a broken one no longer says."""


class UnsafeFile(ValueError):
    """The file asks for what no file may have: code, another file, a link out of it, more memory than it justifies."""


class DamagedFile(ValueError):
    """The file is cut short, altered, or was never what its name says."""
