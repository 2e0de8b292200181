/* SPDX-License-Identifier: MIT */
/* What is read of EXIF: how a camera was held. */
#ifndef STOA_DATA_EXIF_H
#define STOA_DATA_EXIF_H

#include <stddef.h>

/* The orientation, 1 to 8, that EXIF data of `bytes` bytes say: a TIFF header and its first directory. 1,
 * upright, where they say nothing that can be read. */
unsigned stoa_exif_turn(const void *data, size_t bytes);

#endif
