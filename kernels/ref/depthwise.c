/* SPDX-License-Identifier: MIT */
/* Reference depthwise convolution. */
#include "kernels/ref/ref.h"

void STOA_REFERENCE(depthwise)(const struct stoa_window *w, const real *x, const real *weight,
                               const real *bias, size_t first_row, size_t rows, real *y) {
    for (size_t r = first_row; r < first_row + rows; r++) {
        const real *image = x + r / w->out_height * w->height * w->width * w->channels;
        for (size_t ow = 0; ow < w->out_width; ow++) {
            for (size_t c = 0; c < w->channels; c++) {
                real sum = bias != NULL ? bias[c] : 0;
                for (size_t kh = 0; kh < w->kernel_height; kh++) {
                    for (size_t kw = 0; kw < w->kernel_width; kw++) {
                        size_t pixel;
                        if (stoa_tap(w, r % w->out_height, ow, kh, kw, &pixel)) {
                            sum += image[pixel * w->channels + c] *
                                   weight[(kh * w->kernel_width + kw) * w->channels + c];
                        }
                    }
                }
                *y++ = sum;
            }
        }
    }
}

void STOA_REFERENCE(depthwise_backward_data)(const struct stoa_window *w, const real *dy, const real *weight,
                                             real *dx) {
    for (size_t i = 0; i < w->height * w->width * w->channels; i++) {
        dx[i] = 0;
    }
    for (size_t oh = 0; oh < w->out_height; oh++) {
        for (size_t ow = 0; ow < w->out_width; ow++) {
            for (size_t kh = 0; kh < w->kernel_height; kh++) {
                for (size_t kw = 0; kw < w->kernel_width; kw++) {
                    for (size_t c = 0; c < w->channels; c++) {
                        size_t pixel;
                        if (stoa_tap(w, oh, ow, kh, kw, &pixel)) {
                            dx[pixel * w->channels + c] +=
                                dy[(oh * w->out_width + ow) * w->channels + c] *
                                weight[(kh * w->kernel_width + kw) * w->channels + c];
                        }
                    }
                }
            }
        }
    }
}

void STOA_REFERENCE(depthwise_backward_weights)(const struct stoa_window *w, const real *x, const real *dy,
                                                size_t first_row, size_t rows, size_t channel0,
                                                size_t channels, real *dweight) {
    for (size_t r = first_row; r < first_row + rows; r++) {
        const real *image = x + r / w->out_height * w->height * w->width * w->channels;
        for (size_t ow = 0; ow < w->out_width; ow++, dy += w->channels) {
            for (size_t kh = 0; kh < w->kernel_height; kh++) {
                for (size_t kw = 0; kw < w->kernel_width; kw++) {
                    for (size_t c = channel0; c < channel0 + channels; c++) {
                        size_t pixel;
                        if (stoa_tap(w, r % w->out_height, ow, kh, kw, &pixel)) {
                            dweight[(kh * w->kernel_width + kw) * w->channels + c] +=
                                image[pixel * w->channels + c] * dy[c];
                        }
                    }
                }
            }
        }
    }
}
