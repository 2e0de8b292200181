/* SPDX-License-Identifier: MIT */
/* Reference pooling. */
#include <math.h>

#include "kernels/ref/ref.h"

/* A window without any pixel of the image gives -infinity and index 0. */
void STOA_REFERENCE(maxpool)(const struct stoa_window *w, const real *x, size_t first_row, size_t rows,
                             real *y, uint16_t *index) {
    for (size_t r = first_row; r < first_row + rows; r++) {
        const real *image = x + r / w->out_height * w->height * w->width * w->channels;
        for (size_t ow = 0; ow < w->out_width; ow++) {
            for (size_t c = 0; c < w->channels; c++) {
                real best = -INFINITY;
                size_t at = 0;
                bool found = false;
                for (size_t tap = 0; tap < w->kernel_height * w->kernel_width; tap++) {
                    size_t pixel;
                    if (stoa_tap(w, r % w->out_height, ow, tap / w->kernel_width, tap % w->kernel_width,
                                 &pixel)) {
                        real v = image[pixel * w->channels + c];
                        if (!found || v > best || (isnan(v) && !isnan(best))) {
                            best = v;
                            at = tap;
                            found = true;
                        }
                    }
                }
                *y++ = best;
                if (index) {
                    *index++ = (uint16_t)at;
                }
            }
        }
    }
}

void STOA_REFERENCE(maxpool_backward)(const struct stoa_window *w, const real *dy, const uint16_t *index,
                                      real *dx) {
    for (size_t i = 0; i < w->height * w->width * w->channels; i++) {
        dx[i] = 0;
    }
    for (size_t oh = 0; oh < w->out_height; oh++) {
        for (size_t ow = 0; ow < w->out_width; ow++) {
            for (size_t c = 0; c < w->channels; c++, dy++, index++) {
                size_t pixel;
                if (stoa_tap(w, oh, ow, *index / w->kernel_width, *index % w->kernel_width, &pixel)) {
                    dx[pixel * w->channels + c] += *dy;
                }
            }
        }
    }
}

/* What the sum over output pixel (oh, ow)'s window is divided by: the taps in the image, or those in the
 * image and its padding. 0 when no pixel of the image is in it. */
static size_t divisor(const struct stoa_window *w, bool include_pad, size_t oh, size_t ow) {
    size_t count = 0;
    size_t padded = 0;
    for (size_t kh = 0; kh < w->kernel_height; kh++) {
        for (size_t kw = 0; kw < w->kernel_width; kw++) {
            size_t pixel;
            count += stoa_tap(w, oh, ow, kh, kw, &pixel);
            padded +=
                oh * w->stride_height + kh * w->dilation_height < w->pad_top + w->height + w->pad_bottom &&
                ow * w->stride_width + kw * w->dilation_width < w->pad_left + w->width + w->pad_right;
        }
    }
    return include_pad && count > 0 ? padded : count;
}

void STOA_REFERENCE(avgpool)(const struct stoa_window *w, bool include_pad, const real *x, size_t first_row,
                             size_t rows, real *y) {
    for (size_t r = first_row; r < first_row + rows; r++) {
        const real *image = x + r / w->out_height * w->height * w->width * w->channels;
        for (size_t ow = 0; ow < w->out_width; ow++) {
            size_t count = divisor(w, include_pad, r % w->out_height, ow);
            for (size_t c = 0; c < w->channels; c++) {
                real sum = 0;
                for (size_t kh = 0; kh < w->kernel_height; kh++) {
                    for (size_t kw = 0; kw < w->kernel_width; kw++) {
                        size_t pixel;
                        if (stoa_tap(w, r % w->out_height, ow, kh, kw, &pixel)) {
                            sum += image[pixel * w->channels + c];
                        }
                    }
                }
                *y++ = count == 0 ? 0 : sum / (real)count;
            }
        }
    }
}

void STOA_REFERENCE(avgpool_backward)(const struct stoa_window *w, bool include_pad, const real *dy,
                                      real *dx) {
    for (size_t i = 0; i < w->height * w->width * w->channels; i++) {
        dx[i] = 0;
    }
    for (size_t oh = 0; oh < w->out_height; oh++) {
        for (size_t ow = 0; ow < w->out_width; ow++, dy += w->channels) {
            size_t count = divisor(w, include_pad, oh, ow);
            for (size_t kh = 0; kh < w->kernel_height; kh++) {
                for (size_t kw = 0; kw < w->kernel_width; kw++) {
                    size_t pixel;
                    for (size_t c = 0; c < w->channels && stoa_tap(w, oh, ow, kh, kw, &pixel); c++) {
                        dx[pixel * w->channels + c] += dy[c] / (real)count;
                    }
                }
            }
        }
    }
}

void STOA_REFERENCE(global_avgpool)(const real *x, size_t pixels, size_t channels, real *y) {
    for (size_t c = 0; c < channels; c++) {
        real sum = 0;
        for (size_t p = 0; p < pixels; p++) {
            sum += x[p * channels + c];
        }
        y[c] = sum / (real)pixels;
    }
}

void STOA_REFERENCE(global_avgpool_backward)(const real *dy, size_t pixels, size_t channels, real *dx) {
    for (size_t p = 0; p < pixels; p++) {
        for (size_t c = 0; c < channels; c++) {
            dx[p * channels + c] = dy[c] / (real)pixels;
        }
    }
}
