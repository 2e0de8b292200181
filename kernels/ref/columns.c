/* SPDX-License-Identifier: MIT */
/* Reference im2col, col2im and transpose. */
#include "kernels/ref/ref.h"

void STOA_REFERENCE(im2col)(const struct stoa_window *w, const real *x, size_t channel0, size_t channels,
                            size_t first_row, size_t rows, real *lines, real *columns) {
    (void)lines;
    for (size_t r = first_row; r < first_row + rows; r++) {
        const real *image = x + r / w->out_height * w->height * w->width * w->channels;
        for (size_t ow = 0; ow < w->out_width; ow++) {
            for (size_t kh = 0; kh < w->kernel_height; kh++) {
                for (size_t kw = 0; kw < w->kernel_width; kw++) {
                    size_t pixel;
                    bool inside = stoa_tap(w, r % w->out_height, w->out_left + ow, kh, kw, &pixel);
                    for (size_t c = 0; c < channels; c++) {
                        *columns++ = inside ? image[pixel * w->channels + channel0 + c] : 0;
                    }
                }
            }
        }
    }
}

void STOA_REFERENCE(col2im)(const struct stoa_window *w, const real *columns, size_t channel0,
                            size_t channels, size_t first_row, size_t rows, real *dx) {
    for (size_t r = first_row; r < first_row + rows; r++) {
        real *image = dx + r / w->out_height * w->height * w->width * w->channels;
        for (size_t ow = 0; ow < w->out_width; ow++) {
            for (size_t kh = 0; kh < w->kernel_height; kh++) {
                for (size_t kw = 0; kw < w->kernel_width; kw++, columns += channels) {
                    size_t pixel;
                    if (stoa_tap(w, r % w->out_height, w->out_left + ow, kh, kw, &pixel)) {
                        for (size_t c = 0; c < channels; c++) {
                            image[pixel * w->channels + channel0 + c] += columns[c];
                        }
                    }
                }
            }
        }
    }
}

void STOA_REFERENCE(transpose)(const real *x, size_t rows, size_t columns, size_t x_stride, real *y,
                               size_t y_stride) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            y[c * y_stride + r] = x[r * x_stride + c];
        }
    }
}
