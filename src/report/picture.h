/* SPDX-License-Identifier: MIT */
/* Pictures as PNG files in memory. */
#ifndef STOA_REPORT_PICTURE_H
#define STOA_REPORT_PICTURE_H

#include "report/out.h"

/* Append a PNG of `pixels`, height x width x channels bytes: 1 channel is grey, 3 are RGB. */
void report_png(struct report_out *out, const unsigned char *pixels, size_t width, size_t height,
                size_t channels);

#endif
