"""What can go wrong through no fault of the caller. The message is shown to the user as it is."""


class PanoError(Exception):
    """A sentence for the user: what was expected, what was found, what to do."""


class UnsupportedImage(PanoError):
    """A picture that cannot be opened as a panorama."""


class NotAFullSphere(UnsupportedImage):
    """A picture of which it is not known what part of the sphere it shows; the user may decide."""


class ProjectError(PanoError):
    """A project that cannot be read or written."""


class ModelUnavailable(PanoError):
    """A model that cannot be loaded or run here."""


class DeviceFull(ModelUnavailable):
    """A device with too little free memory for what was to run at once; less of it may fit."""


class ExportError(PanoError):
    """A file that could not be written; what was there before is untouched."""


class OutOfSpace(ExportError):
    """A file that did not fit on its disk, which is not the fault of what was asked for."""
