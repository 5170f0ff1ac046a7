"""Release: the files that an app is built on."""
