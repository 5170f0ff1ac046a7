"""What a person is told where the data still holds what was erased."""


class ErasedDataWarning(UserWarning):
    """The user's data holds files that the store was told to forget; they are left out."""
