/* SPDX-License-Identifier: MIT */
/* What operators refuse: every line here is wrong, and its sentence must say what was found and what was
 * expected. */
#include <string.h>

#include "harness.h"

struct refusal {
    const char *line;
    const char *input[STOA_EXAMPLE_INPUTS + 1];
    stoa_status status;
    const char *sentence; /* a part of it */
};

static const struct refusal refusals[] = {
    {"convolution filters=6", {"8x8x1"}, STOA_ERR_ARGUMENT, "layer 't': unknown operator 'convolution'"},
    {"", {"8x8x1"}, STOA_ERR_ARGUMENT, "expected a name and its options"},
    /* options */
    {"conv2d filters=6 kernel=5 colour=red",
     {"8x8x1"},
     STOA_ERR_ARGUMENT,
     "conv2d 't': unknown option 'colour', expected filters"},
    {"relu size=2", {"8x8x1"}, STOA_ERR_ARGUMENT, "relu 't': unknown option 'size', expected no options"},
    {"conv2d kernel=5", {"8x8x1"}, STOA_ERR_ARGUMENT, "conv2d 't': option 'filters' is missing"},
    {"conv2d filters=6", {"8x8x1"}, STOA_ERR_ARGUMENT, "option 'kernel' is missing"},
    {"linear", {"8"}, STOA_ERR_ARGUMENT, "linear 't': option 'units' is missing"},
    {"maxpool2d", {"8x8x1"}, STOA_ERR_ARGUMENT, "option 'size' is missing"},
    {"conv2d filters=0 kernel=5",
     {"8x8x1"},
     STOA_ERR_ARGUMENT,
     "option 'filters': found '0', expected a number from 1"},
    {"conv2d filters=6 kernel=0", {"8x8x1"}, STOA_ERR_ARGUMENT, "option 'kernel': found '0'"},
    {"conv2d filters=6 kernel=5x0", {"8x8x1"}, STOA_ERR_ARGUMENT, "option 'kernel': found '5x0'"},
    {"conv2d filters=6 kernel=5 stride=0", {"8x8x1"}, STOA_ERR_ARGUMENT, "option 'stride': found '0'"},
    {"conv2d filters=6 kernel=5 dilation=0", {"8x8x1"}, STOA_ERR_ARGUMENT, "option 'dilation': found '0'"},
    {"conv2d filters=6 kernel=5 groups=0", {"8x8x1"}, STOA_ERR_ARGUMENT, "option 'groups': found '0'"},
    {"conv2d filters=-6 kernel=5", {"8x8x1"}, STOA_ERR_ARGUMENT, "option 'filters': found '-6'"},
    {"conv2d filters=6 kernel=five",
     {"8x8x1"},
     STOA_ERR_ARGUMENT,
     "option 'kernel': found 'five', expected HxW"},
    {"conv2d filters=6 kernel=5x", {"8x8x1"}, STOA_ERR_ARGUMENT, "option 'kernel': found '5x'"},
    {"conv2d filters=6 kernel=5 pad=valid",
     {"8x8x1"},
     STOA_ERR_ARGUMENT,
     "option 'pad': found 'valid', expected same"},
    {"conv2d filters=6 kernel=5 bias=yes",
     {"8x8x1"},
     STOA_ERR_ARGUMENT,
     "option 'bias': found 'yes', expected true or false"},
    {"conv2d filters=6 kernel=5 init=zero",
     {"8x8x1"},
     STOA_ERR_ARGUMENT,
     "option 'init': found 'zero', expected he or xavier or "},
    {"conv2d filters=18446744073709551617 kernel=5", {"8x8x1"}, STOA_ERR_ARGUMENT, "option 'filters': found"},
    {"linear units=0", {"8"}, STOA_ERR_ARGUMENT, "option 'units': found '0'"},
    {"linear units=99999999999", {"8"}, STOA_ERR_ARGUMENT, "option 'units': found '99999999999'"},
    {"dropout p=1", {"8"}, STOA_ERR_ARGUMENT, "option 'p': found '1', expected a number from 0 to 0.999"},
    {"dropout p=-0.5", {"8"}, STOA_ERR_ARGUMENT, "option 'p': found '-0.5'"},
    {"dropout p=nan", {"8"}, STOA_ERR_ARGUMENT, "option 'p': found 'nan'"},
    {"batchnorm epsilon=0", {"8"}, STOA_ERR_ARGUMENT, "option 'epsilon': found '0'"},
    {"batchnorm momentum=2", {"8"}, STOA_ERR_ARGUMENT, "option 'momentum': found '2'"},
    {"avgpool2d size=2 include_pad=1", {"8x8x1"}, STOA_ERR_ARGUMENT, "option 'include_pad': found '1'"},
    {"linear units=5 units=6", {"8"}, STOA_ERR_ARGUMENT, "option 'units' is given twice"},
    {"linear units", {"8"}, STOA_ERR_ARGUMENT, "found 'units', expected OPTION=VALUE, such as units=10"},
    {"linear units=", {"8"}, STOA_ERR_ARGUMENT, "found 'units=', expected OPTION=VALUE, such as units=10"},
    /* shapes */
    {"conv2d filters=6 kernel=5",
     {"4x4x1"},
     STOA_ERR_SHAPE,
     "conv2d 't': kernel 5x5 with dilation 1x1 does not fit input 4x4 with pad 0x0"},
    {"conv2d filters=6 kernel=2 dilation=4x1",
     {"4x4x1"},
     STOA_ERR_SHAPE,
     "kernel 2x2 with dilation 4x1 does not fit input 4x4"},
    {"conv2d filters=6 kernel=1x7 pad=1",
     {"9x4x1"},
     STOA_ERR_SHAPE,
     "kernel 1x7 with dilation 1x1 does not fit input 9x4 with pad 1x1"},
    {"conv2d filters=6 kernel=3 groups=2",
     {"8x8x3"},
     STOA_ERR_SHAPE,
     "groups=2 does not divide 3 input channels and 6 filters"},
    {"conv2d filters=6 kernel=3 groups=4",
     {"8x8x8"},
     STOA_ERR_SHAPE,
     "groups=4 does not divide 8 input channels and 6 filters"},
    {"conv2d filters=6 kernel=3",
     {"120"},
     STOA_ERR_SHAPE,
     "conv2d 't': found input of shape 120, expected an image HxWxC"},
    {"conv2d filters=1000000 kernel=1000 pad=same", {"8x8x64"}, STOA_ERR_SHAPE, "the weight has more than"},
    {"conv2d filters=1000000 kernel=1", {"64x64x1"}, STOA_ERR_SHAPE, "output 64x64x1000000 has more than"},
    {"linear units=10000000",
     {"64x64x3"},
     STOA_ERR_SHAPE,
     "linear 't': the weight 10000000x12288 has more than"},
    {"maxpool2d size=3",
     {"2x2x1"},
     STOA_ERR_SHAPE,
     "maxpool2d 't': kernel 3x3 with dilation 1x1 does not fit input 2x2"},
    {"maxpool2d size=2 pad=2",
     {"8x8x1"},
     STOA_ERR_SHAPE,
     "pad 2x2 leaves a window 2x2 with dilation 1x1 in the padding alone"},
    {"maxpool2d size=300", {"400x400x1"}, STOA_ERR_SHAPE, "window 300x300 has more than 65535 taps"},
    {"avgpool2d size=3 pad=0,0,0,3 stride=1",
     {"8x8x1"},
     STOA_ERR_SHAPE,
     "pad 0,0,0,3 leaves a window 3x3 with dilation 1x1 in the padding alone"},
    /* Taps that step over the image. */
    {"maxpool2d size=2 pad=1 dilation=2x1 stride=1",
     {"1x8x1"},
     STOA_ERR_SHAPE,
     "leaves a window 2x2 with dilation 2x1 in the padding alone"},
    {"maxpool2d size=3 ceil_mode=1", {"8x8x1"}, STOA_ERR_ARGUMENT, "option 'ceil_mode': found '1'"},
    {"conv2d filters=6 kernel=9 pad=1,0,0,2",
     {"4x4x1"},
     STOA_ERR_SHAPE,
     "kernel 9x9 with dilation 1x1 does not fit input 4x4 with pad 1,0,0,2"},
    {"conv2d filters=6 kernel=3 pad=1,0,2",
     {"8x8x1"},
     STOA_ERR_ARGUMENT,
     "option 'pad': found '1,0,2', expected same, same_lower, HxW, TOP,LEFT,BOTTOM,RIGHT or a number"},
    {"conv2d filters=6 kernel=3 pad=1,0,2,1,1",
     {"8x8x1"},
     STOA_ERR_ARGUMENT,
     "option 'pad': found '1,0,2,1,1'"},
    {"conv2d filters=6 kernel=3 pad=1,,2,1", {"8x8x1"}, STOA_ERR_ARGUMENT, "option 'pad': found '1,,2,1'"},
    {"conv2d filters=6 kernel=3 pad=same_upper",
     {"8x8x1"},
     STOA_ERR_ARGUMENT,
     "option 'pad': found 'same_upper', did you mean"},
    {"avgpool2d size=2", {"8"}, STOA_ERR_SHAPE, "avgpool2d 't': found input of shape 8, expected an image"},
    {"global_avgpool",
     {"8"},
     STOA_ERR_SHAPE,
     "global_avgpool 't': found input of shape 8, expected an image"},
    {"conv_transpose2d filters=4 kernel=3 output_pad=1",
     {"4x4x2"},
     STOA_ERR_ARGUMENT,
     "found output_pad 1x1, expected less than stride 1x1 or dilation 1x1"},
    {"conv_transpose2d filters=4 kernel=3 groups=3",
     {"4x4x2"},
     STOA_ERR_SHAPE,
     "groups=3 does not divide 2 input channels and 4 filters"},
    {"conv_transpose2d filters=4 kernel=3 pad=4",
     {"2x2x2"},
     STOA_ERR_SHAPE,
     "pad 4x4 leaves nothing of input 2x2 with kernel 3x3"},
    {"concat", {"4x4x2"}, STOA_ERR_SHAPE, "concat 't': found 1 inputs, expected 2 to 128"},
    {"concat",
     {"4x4x2", "4x3x2"},
     STOA_ERR_SHAPE,
     "found inputs of shapes 4x4x2 and 4x3x2, expected them to differ in channels only"},
    {"concat", {"4x4x2", "8"}, STOA_ERR_SHAPE, "found inputs of shapes 4x4x2 and 8"},
    {"concat axis=height", {"8", "8"}, STOA_ERR_SHAPE, "found vectors, expected images for axis=height"},
    {"pad size=-1", {"4x4x2"}, STOA_ERR_ARGUMENT, "option 'size': found '-1'"},
    {"reshape size=3", {"2x2x2"}, STOA_ERR_SHAPE, "input 2x2x2 has 8 numbers, an image 3x3x1 does not"},
    {"reshape size=2 channels=3", {"8"}, STOA_ERR_SHAPE, "input 8 has 8 numbers, an image 2x2x3 does not"},
    {"upsample scale=0", {"4x4x2"}, STOA_ERR_ARGUMENT, "option 'scale': found '0'"},
    {"upsample scale=65535", {"400x400x2"}, STOA_ERR_SHAPE, "more than"},
    {"softmax_cross_entropy",
     {"2x2x3"},
     STOA_ERR_SHAPE,
     "found input of shape 2x2x3, expected a vector of a number a class"},
    {"leaky_relu slope=-1", {"8"}, STOA_ERR_ARGUMENT, "option 'slope': found '-1', expected a number from 0"},
    {"elu alpha=nan", {"8"}, STOA_ERR_ARGUMENT, "option 'alpha': found 'nan'"},
    {"softplus beta=0", {"8"}, STOA_ERR_ARGUMENT, "option 'beta': found '0'"},
    {"gelu approximate=erf",
     {"8"},
     STOA_ERR_ARGUMENT,
     "option 'approximate': found 'erf', expected none or tanh"},
    {"prelu per_channel=1",
     {"8"},
     STOA_ERR_ARGUMENT,
     "option 'per_channel': found '1', expected true or false"},
    {"layernorm over=batch",
     {"8"},
     STOA_ERR_ARGUMENT,
     "option 'over': found 'batch', expected channels or sample"},
    {"std unbiased=true",
     {"1"},
     STOA_ERR_SHAPE,
     "std 't': found 1 value a sample, expected 2 or more with unbiased=true"},
    {"softmax_cross_entropy smoothing=1.5", {"3"}, STOA_ERR_ARGUMENT, "option 'smoothing': found '1.5'"},
    {"softmax_cross_entropy weights=1,2", {"3"}, STOA_ERR_SHAPE, "found 2 weights, expected 3, one a class"},
    {"cross_entropy weights=1,-2,3", {"3"}, STOA_ERR_ARGUMENT, "option 'weights': found '1,-2,3'"},
    {"cross_entropy epsilon=0", {"3"}, STOA_ERR_ARGUMENT, "option 'epsilon': found '0'"},
    {"l1 reduction=half_sum",
     {"3"},
     STOA_ERR_ARGUMENT,
     "option 'reduction': found 'half_sum', expected mean or sum"},
    {"huber delta=0", {"3"}, STOA_ERR_ARGUMENT, "option 'delta': found '0'"},
    {"add",
     {"4x4x2", "4x4x3"},
     STOA_ERR_SHAPE,
     "add 't': found operands of shapes 4x4x2 and 4x4x3, expected sizes that are equal or 1"},
    {"add",
     {"4x4x2", "32"},
     STOA_ERR_SHAPE,
     "found operands of shapes 4x4x2 and 1x1x32, expected sizes that are equal or 1"},
    {"mul", {"4x4x2"}, STOA_ERR_ARGUMENT, "found one input and no constant, expected a second input"},
    {"mul value=2 channels=2", {"4x4x2"}, STOA_ERR_ARGUMENT, "found one input and both a value and a tensor"},
    {"mul value=2", {"4x4x2", "2"}, STOA_ERR_ARGUMENT, "found 2 inputs and a constant, expected options"},
    {"div value=2 trainable=true", {"7"}, STOA_ERR_ARGUMENT, "found trainable=true and a value, expected"},
    {"sub size=3 channels=2", {"4x4x2"}, STOA_ERR_SHAPE, "found operands of shapes 4x4x2 and 3x3x2"},
    {"reduce axes=height", {"7"}, STOA_ERR_SHAPE, "found input of shape 7, expected an image HxWxC"},
    {"groupnorm groups=3", {"4x4x8"}, STOA_ERR_SHAPE, "found 8 channels, expected a multiple of groups=3"},
    {"groupnorm", {"8"}, STOA_ERR_SHAPE, "found groups of one number, expected two or more"},
    {"matmul", {"2x3x4", "2x3x4"}, STOA_ERR_SHAPE, "found inputs of shapes 2x3x4 and 2x3x4, expected images"},
    {"pow", {"7"}, STOA_ERR_ARGUMENT, "option 'exponent' is missing"},
    {"add",
     {"4x4x2"},
     STOA_ERR_ARGUMENT,
     "add 't': found one input and no constant, expected a second input"},
    {"relu", {"8", "8"}, STOA_ERR_SHAPE, "relu 't': found 2 inputs, expected 1"},
};

static void wrong_lines_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        struct stoa_error error = {STOA_OK, ""};
        struct stoa_layer layer = {.options = NULL};
        stoa_status status = harness_try_layer(&error, &layer, r->line, r->input);
        if (status != r->status || error.status != r->status || !strstr(error.text, r->sentence)) {
            fail_msg("'%s' on %s: %s, \"%s\"; expected \"%s\"", r->line, r->input[0],
                     stoa_status_text(status), error.text, r->sentence);
        }
        assert_null(layer.options); /* nothing to release */
    }
}

/* The largest values that the tables allow must not overflow on the way to a refusal or a shape. */
static void extremes_do_not_overflow(void **state) {
    (void)state;
    const char *lines[] = {
        "conv2d filters=1048576 kernel=65535 stride=65535 dilation=65535 pad=65535 groups=1",
        "conv2d filters=1 kernel=65535 dilation=65535 pad=same",
        "maxpool2d size=65535 pad=32767 stride=65535", "avgpool2d size=65535 pad=32767 stride=1"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct stoa_error error = {STOA_OK, ""};
        struct stoa_layer layer = {.options = NULL};
        stoa_status status = harness_try_layer(&error, &layer, lines[i], (const char *[]){"8x8x1", NULL});
        assert_true(status == STOA_OK || status == STOA_ERR_SHAPE);
        if (status == STOA_OK) {
            assert_true(stoa_shape_size(&layer.output) > 0);
            stoa_layer_clear(&layer);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_lines_are_refused),
        cmocka_unit_test(extremes_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
