/* Which algorithm computes a convolution: the first of the list that can. Floor 4. */
#include "conv/conv.h"

/* From special to general; the last one can do everything. */
enum { ALGORITHMS = 2 };
static const struct stoa_conv_algorithm *const algorithms[ALGORITHMS] = {&stoa_conv_depthwise,
                                                                         &stoa_conv_im2col};

const struct stoa_conv_algorithm *stoa_conv_choose(const stoa_context *context, const struct stoa_conv *conv,
                                                   enum stoa_conv_pass pass) {
    size_t i = 0;
    while (i < ALGORITHMS - 1 && !algorithms[i]->applicable(context, conv, pass)) {
        i++;
    }
    return algorithms[i];
}
