/* SPDX-License-Identifier: MIT */
/* Reference products and convolutions, straight from their definitions. */
#include "kernels/ref/ref.h"

void STOA_REFERENCE(gemm)(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, real alpha,
                          const real *a, size_t lda, const real *b, size_t ldb, real beta, real *c,
                          size_t ldc) {
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            real sum = 0;
            for (size_t l = 0; l < k; l++) {
                real left = transpose_a ? a[l * lda + i] : a[i * lda + l];
                real right = transpose_b ? b[j * ldb + l] : b[l * ldb + j];
                sum += left * right;
            }
            c[i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * c[i * ldc + j]);
        }
    }
}

void STOA_REFERENCE(product)(const struct stoa_gather *g, size_t m, size_t n, size_t k, const real *a,
                             const real *b, size_t ldb, const real *start, real *c, size_t ldc) {
    for (size_t i = 0; i < m; i++) {
        size_t row = (g->row != NULL ? g->row[i / g->run] : 0) + i % g->run * g->step;
        real *out = g->result != NULL ? c + g->result[i / g->run] + i % g->run * ldc : c + i * ldc;
        for (size_t j = 0; j < n; j++) {
            real sum = start == NULL ? 0 : start == c ? out[j] : start[j];
            for (size_t l = 0; l < k; l++) {
                sum += a[row + g->term[l]] * b[l * ldb + j];
            }
            out[j] = sum;
        }
    }
}

/* Filter k of `filters` belongs to group k / (filters / groups), which sees channels / groups channels. */

void STOA_REFERENCE(conv2d)(const struct stoa_window *w, size_t batch, size_t filters, size_t groups,
                            const real *x, const real *weight, const real *bias, real *y) {
    size_t group_channels = w->channels / groups;
    for (size_t n = 0; n < batch; n++) {
        for (size_t oh = 0; oh < w->out_height; oh++) {
            for (size_t ow = 0; ow < w->out_width; ow++) {
                for (size_t k = 0; k < filters; k++) {
                    size_t channel0 = k / (filters / groups) * group_channels;
                    real sum = bias != NULL ? bias[k] : 0;
                    for (size_t kh = 0; kh < w->kernel_height; kh++) {
                        for (size_t kw = 0; kw < w->kernel_width; kw++) {
                            for (size_t c = 0; c < group_channels; c++) {
                                size_t pixel;
                                if (stoa_tap(w, oh, ow, kh, kw, &pixel)) {
                                    sum +=
                                        x[(n * w->height * w->width + pixel) * w->channels + channel0 + c] *
                                        weight[((kh * w->kernel_width + kw) * group_channels + c) * filters +
                                               k];
                                }
                            }
                        }
                    }
                    y[((n * w->out_height + oh) * w->out_width + ow) * filters + k] = sum;
                }
            }
        }
    }
}

void STOA_REFERENCE(conv2d_backward_data)(const struct stoa_window *w, size_t batch, size_t filters,
                                          size_t groups, const real *dy, const real *weight, real *dx) {
    size_t group_channels = w->channels / groups;
    for (size_t i = 0; i < batch * w->height * w->width * w->channels; i++) {
        dx[i] = 0;
    }
    for (size_t n = 0; n < batch; n++) {
        for (size_t oh = 0; oh < w->out_height; oh++) {
            for (size_t ow = 0; ow < w->out_width; ow++) {
                for (size_t k = 0; k < filters; k++) {
                    size_t channel0 = k / (filters / groups) * group_channels;
                    real g = dy[((n * w->out_height + oh) * w->out_width + ow) * filters + k];
                    for (size_t kh = 0; kh < w->kernel_height; kh++) {
                        for (size_t kw = 0; kw < w->kernel_width; kw++) {
                            for (size_t c = 0; c < group_channels; c++) {
                                size_t pixel;
                                if (stoa_tap(w, oh, ow, kh, kw, &pixel)) {
                                    dx[(n * w->height * w->width + pixel) * w->channels + channel0 + c] +=
                                        g *
                                        weight[((kh * w->kernel_width + kw) * group_channels + c) * filters +
                                               k];
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

void STOA_REFERENCE(conv2d_backward_weights)(const struct stoa_window *w, size_t batch, size_t filters,
                                             size_t groups, const real *x, const real *dy, real *dweight) {
    size_t group_channels = w->channels / groups;
    for (size_t i = 0; i < w->kernel_height * w->kernel_width * group_channels * filters; i++) {
        dweight[i] = 0;
    }
    for (size_t n = 0; n < batch; n++) {
        for (size_t oh = 0; oh < w->out_height; oh++) {
            for (size_t ow = 0; ow < w->out_width; ow++) {
                for (size_t k = 0; k < filters; k++) {
                    size_t channel0 = k / (filters / groups) * group_channels;
                    real g = dy[((n * w->out_height + oh) * w->out_width + ow) * filters + k];
                    for (size_t kh = 0; kh < w->kernel_height; kh++) {
                        for (size_t kw = 0; kw < w->kernel_width; kw++) {
                            for (size_t c = 0; c < group_channels; c++) {
                                size_t pixel;
                                if (stoa_tap(w, oh, ow, kh, kw, &pixel)) {
                                    dweight[((kh * w->kernel_width + kw) * group_channels + c) * filters +
                                            k] +=
                                        g *
                                        x[(n * w->height * w->width + pixel) * w->channels + channel0 + c];
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
