"""A web browser as a device: LiteRT.js in the Chromium of this machine."""
