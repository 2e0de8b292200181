/* SPDX-License-Identifier: MIT */
/* How a C program uses a stateless operator: a convolution on its own buffers, beside plain loops. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/stoa.h>

enum { BATCH = 2, SIZE = 8, CHANNELS = 3, FILTERS = 4, KERNEL = 3, OUT = SIZE - KERNEL + 1 };

static float x[BATCH][SIZE][SIZE][CHANNELS];
static float weight[KERNEL][KERNEL][CHANNELS][FILTERS];
static float y[BATCH][OUT][OUT][FILTERS];

static double plain(int n, int oh, int ow, int k) {
    double sum = 0;
    for (int kh = 0; kh < KERNEL; kh++) {
        for (int kw = 0; kw < KERNEL; kw++) {
            for (int c = 0; c < CHANNELS; c++) {
                sum += (double)x[n][oh + kh][ow + kw][c] * (double)weight[kh][kw][c][k];
            }
        }
    }
    return sum;
}

static double largest_error(void) {
    double worst = 0;
    for (int i = 0; i < BATCH * OUT * OUT * FILTERS; i++) {
        int k = i % FILTERS, ow = i / FILTERS % OUT, oh = i / FILTERS / OUT % OUT,
            n = i / FILTERS / OUT / OUT;
        double error = fabs((double)y[n][oh][ow][k] - plain(n, oh, ow, k));
        worst = error <= worst ? worst : error; /* NaN becomes the worst */
    }
    return worst;
}

int main(void) {
    for (int i = 0; i < BATCH * SIZE * SIZE * CHANNELS; i++) {
        (&x[0][0][0][0])[i] = (float)(i % 11) - 5.0F;
    }
    for (int i = 0; i < KERNEL * KERNEL * CHANNELS * FILTERS; i++) {
        (&weight[0][0][0][0])[i] = (float)(i % 7) / 7.0F;
    }
    stoa_context *context;
    if (stoa_context_create(NULL, &context) != STOA_OK) {
        return 1;
    }
    const stoa_conv2d conv = {.batch = BATCH,
                              .height = SIZE,
                              .width = SIZE,
                              .channels = CHANNELS,
                              .filters = FILTERS,
                              .kernel_height = KERNEL,
                              .kernel_width = KERNEL};
    size_t bytes;
    stoa_status status = stoa_conv2d_workspace(context, &conv, STOA_CONV2D_FORWARD, &bytes);
    void *workspace = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (status == STOA_OK) {
        status = stoa_conv2d_forward(context, &conv, &x[0][0][0][0], &weight[0][0][0][0], NULL, NULL,
                                     &y[0][0][0][0], workspace, bytes);
    }
    if (status != STOA_OK) {
        fprintf(stderr, "%s: %s\n", stoa_status_text(status), stoa_context_error(context));
    }
    free(workspace);
    stoa_context_free(context);
    return status == STOA_OK && largest_error() < 1e-4 ? 0 : 1;
}
