/* SPDX-License-Identifier: MIT */
/* Products of matrices that are both computed, as C. */
#include "ccode/ccode.h"

void stoa_c_matmul(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    struct stoa_c_text *text = &code->layers;
    const size_t *out = layer->output.dim;
    bool turned = stoa_c_option_bool(layer, "transpose_a");
    bool other_turned = stoa_c_option_bool(layer, "transpose_b");
    size_t rows = out[1];
    size_t columns = out[2];
    size_t terms = layer->input[0].dim[turned ? 1 : 2];
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", out[0] * rows);
    stoa_c_line(text, "const float *a = x0 + i / %zu * %zu + i %% %zu * %zu;", rows, rows * terms, rows,
                turned ? 1 : terms);
    stoa_c_line(text, "const float *b = x1 + i / %zu * %zu;", rows, terms * columns);
    stoa_c_line(text, "float *to = y + i * %zu;", columns);
    stoa_c_open(text, "for (int k = 0; k < %zu; k++)", columns);
    stoa_c_line(text, "to[k] = 0.0F;");
    stoa_c_close(text);
    stoa_c_open(text, "for (int t = 0; t < %zu; t++)", terms);
    stoa_c_line(text, "float factor = a[t * %zu];", turned ? rows : 1);
    stoa_c_open(text, "for (int k = 0; k < %zu; k++)", columns);
    stoa_c_line(text, "to[k] += factor * b[t * %zu + k * %zu];", other_turned ? 1 : columns,
                other_turned ? terms : 1);
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_close(text);
}
