"""`make image`: the image built by its own Dockerfile without Docker, started, and posted to.

Debian's buildah builds it, on a base made of Debian's own packages in place of the one that the Dockerfile names (which
is Debian with Python too): nothing is asked of a registry of images. Wants root, and the packages that it names.
"""
