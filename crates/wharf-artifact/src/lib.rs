//! What is scanned: directories and the layers of container images, read file by file within bounds.
