/* SPDX-License-Identifier: MIT */
/* Recipes: what they say comes out, and every mistake is refused with its line. */
#include <stoa/recipe.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/base/scratch.h"

static stoa_context *context;

static stoa_status load_bytes(const char *text, size_t bytes, stoa_recipe **recipe) {
    /* In a block of its own size, so that a sanitizer sees any step past its end. */
    char *copy = malloc(bytes ? bytes : 1);
    assert_non_null(copy);
    memcpy(copy, text, bytes);
    stoa_status status = stoa_recipe_load_memory(context, "r.ini", copy, bytes, recipe);
    free(copy);
    return status;
}

static stoa_recipe *load_good(const char *text) {
    stoa_recipe *recipe = NULL;
    stoa_status status = load_bytes(text, strlen(text), &recipe);
    if (status != STOA_OK) {
        print_error("%s\n", stoa_context_error(context));
    }
    assert_int_equal(status, STOA_OK);
    return recipe;
}

/* Refused with a sentence that begins so. */
static void assert_refused(const char *text, stoa_status status, const char *begin) {
    stoa_recipe *recipe = NULL;
    assert_int_equal(load_bytes(text, strlen(text), &recipe), status);
    assert_null(recipe);
    if (strncmp(stoa_context_error(context), begin, strlen(begin)) != 0) {
        assert_string_equal(stoa_context_error(context), begin);
    }
}

enum { LONGEST_LINE = 190 };
#define MODEL "[model]\ninput = 6x5x3\nc1 = conv2d filters=2 kernel=3\nf = flatten\nl1 = linear units=4\n"

static void test_all_said(void **state) {
    (void)state;
    stoa_recipe *recipe = load_good(
        "# about\ntitle = A test; of # comment\nneeds = my set, 2 s 123456789 123456789 123456789 "
        "123456789 12345678\nreaches = 99 % = all\n" MODEL
        "[data]\nset = my-set\nclasses = 4\nmean = 0.125\ndeviation = 0.5\nlabel = kind of\n"
        "header = no\ntest = 0.25\nsamples = 99\nmemory = 3M\nweights = measured\nsplit_seed = "
        "18446744073709551614\n"
        "[train]\nepochs = 7\nbatch = 33\nlr = 2e-3\nseed = 18446744073709551615\n"
        "optimizer = sgd momentum=0.9\nschedule = one_cycle warmup=0.25\nloss = mse\n"
        "clip_norm = 2\nclip_value = 0.5\naverage = 0.75\nvalidation = 0.25\nstratified = true\n"
        "in_order = true\nsummed = true\npatience = 4\nmin_delta = 0.125\nkeep_best = true\nmonitor = "
        "accuracy\naugment = shift=2 "
        "flip=0.5\nfreeze = c1, f\nlr_scale = l*=0.5\n");
    stoa_recipe_info info;
    stoa_recipe_describe(recipe, &info);
    assert_string_equal(info.title, "A test; of");
    assert_string_equal(info.needs, "my set, 2 s 123456789 123456789 123456789 123456789 12345678");
    assert_string_equal(info.reaches, "99 % = all");
    assert_string_equal(info.set, "my-set");
    assert_int_equal(info.classes, 4);
    assert_true(info.mean == 0.125F && info.deviation == 0.5F);
    assert_false(info.measured);
    assert_true(info.weighted && info.data.samples == 99 && info.data.memory == 3 << 20);
    assert_string_equal(info.data.label, "kind of");
    assert_int_equal(info.data.header, STOA_HEADER_NO);
    assert_true(info.data.test == 0.25F && info.data.seed == UINT64_MAX - 1);
    assert_true(info.data.classes == 4 && info.data.height == 6 && info.data.width == 5 &&
                info.data.channels == 3);
    assert_int_equal(info.train.epochs, 7);
    assert_int_equal(info.train.batch, 33);
    assert_true(info.train.learning_rate == 2e-3F);
    assert_true(info.train.seed == UINT64_MAX);
    assert_string_equal(info.train.optimizer, "sgd momentum=0.9");
    assert_string_equal(info.train.schedule, "one_cycle warmup=0.25");
    assert_string_equal(info.train.loss, "mse");
    assert_true(info.train.clip_norm == 2 && info.train.clip_value == 0.5F && info.train.average == 0.75F);
    assert_true(info.train.validation == 0.25F && info.train.stratified && info.train.keep_best);
    assert_true(info.train.patience == 4 && info.train.min_delta == 0.125F && info.train.in_order &&
                info.train.summed);
    assert_string_equal(info.train.monitor, "accuracy");
    assert_string_equal(info.train.augment, "shift=2 flip=0.5");
    assert_string_equal(info.train.freeze, "c1, f");
    assert_string_equal(info.train.lr_scale, "l*=0.5");

    stoa_model *model = NULL;
    assert_int_equal(stoa_recipe_model(context, recipe, &model), STOA_OK);
    assert_int_equal(stoa_model_layer_count(model), 3);
    stoa_layer_info layer;
    assert_int_equal(stoa_model_layer(model, 0, &layer), STOA_OK);
    assert_string_equal(layer.name, "c1");
    assert_string_equal(layer.op, "conv2d");
    assert_string_equal(layer.options, "filters=2 kernel=3");
    assert_int_equal(stoa_model_output_size(model), 4);
    assert_string_equal(stoa_model_fact(model, "data.set"), "my-set");
    assert_string_equal(stoa_model_fact(model, "data.classes"), "4");
    assert_string_equal(stoa_model_fact(model, "data.mean"), "0.125");
    assert_string_equal(stoa_model_fact(model, "data.deviation"), "0.5");
    assert_string_equal(stoa_model_fact(model, "data.label"), "kind of");
    assert_string_equal(stoa_model_fact(model, "data.header"), "no");
    assert_string_equal(stoa_model_fact(model, "data.test"), "0.25");
    assert_string_equal(stoa_model_fact(model, "data.split_seed"), "18446744073709551614");
    assert_string_equal(stoa_model_fact(model, "data.samples"), "99");
    assert_string_equal(stoa_model_fact(model, "data.memory"), "3145728");
    assert_null(stoa_model_fact(model, "data.normalize"));
    assert_string_equal(stoa_model_fact(model, "loss"), "mse");
    stoa_recipe_free(recipe);
    assert_int_equal(stoa_model_init(model, 1), STOA_OK);
    stoa_model_free(model);
    stoa_recipe_free(NULL);
}

static void test_defaults(void **state) {
    (void)state;
    stoa_recipe *recipe =
        load_good("\xEF\xBB\xBF[train]\r\n[model]\r\n\tinput=4x4x1 ; a comment\r\n  r = relu\r\n");
    stoa_recipe_info info;
    stoa_recipe_describe(recipe, &info);
    assert_string_equal(info.title, "");
    assert_string_equal(info.needs, "");
    assert_string_equal(info.reaches, "");
    assert_string_equal(info.set, "");
    assert_int_equal(info.classes, 10);
    assert_true(info.mean == 0 && info.deviation == 1);
    assert_int_equal(info.train.epochs, 0);
    assert_int_equal(info.train.batch, 0);
    assert_true(info.train.learning_rate == 0);
    assert_true(info.train.seed == 0);
    assert_null(info.train.optimizer);
    assert_null(info.train.schedule);
    assert_null(info.train.loss);
    assert_true(info.train.clip_norm == 0 && info.train.clip_value == 0 && info.train.average == 0);
    assert_true(info.train.validation == 0 && !info.train.stratified && !info.train.keep_best &&
                !info.train.in_order && !info.train.summed);
    assert_true(info.train.patience == 0 && info.train.min_delta == 0);
    assert_null(info.train.monitor);
    assert_null(info.train.augment);
    stoa_model *model = NULL;
    assert_int_equal(stoa_recipe_model(context, recipe, &model), STOA_OK);
    assert_null(stoa_model_fact(model, "data.set"));
    assert_string_equal(stoa_model_fact(model, "loss"), "softmax_cross_entropy");
    stoa_model_free(model);
    stoa_recipe_free(recipe);
}

/* What is to be measured has no numbers yet. */
static void test_measured(void **state) {
    (void)state;
    stoa_recipe *recipe = load_good(MODEL "[data]\nclasses = 4\nnormalize = measured\n");
    stoa_recipe_info info;
    stoa_recipe_describe(recipe, &info);
    assert_true(info.measured);
    assert_null(info.data.label);
    stoa_model *model = NULL;
    assert_int_equal(stoa_recipe_model(context, recipe, &model), STOA_OK);
    assert_string_equal(stoa_model_fact(model, "data.normalize"), "measured");
    static const char *const absent[] = {"data.mean",   "data.deviation", "data.label",
                                         "data.header", "data.test",      "data.split_seed"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        assert_null(stoa_model_fact(model, absent[i]));
    }
    stoa_model_free(model);
    stoa_recipe_free(recipe);
    assert_refused(MODEL "[data]\nclasses = 4\ndeviation = 2\nnormalize = measured\n", STOA_ERR_ARGUMENT,
                   "r.ini:9: deviation is given on line 8, expected none with normalize = measured");
}

static void test_branches(void **state) {
    (void)state;
    stoa_recipe *recipe =
        load_good("[model]\ninput = 4x4x2\nc1 = conv2d filters=2 kernel=3 pad=1\nr1 = relu\n"
                  "s1 = add from=r1,c1   # both\n");
    stoa_model *model = NULL;
    assert_int_equal(stoa_recipe_model(context, recipe, &model), STOA_OK);
    stoa_layer_info layer;
    assert_int_equal(stoa_model_layer(model, 2, &layer), STOA_OK);
    assert_string_equal(layer.options, "from=r1,c1");
    stoa_model_free(model);
    stoa_recipe_free(recipe);
}

/* Further inputs are layers, outputs a line. */
static void test_ports(void **state) {
    (void)state;
    static const char text[] = "[model]\ninput = 6x5x3\nc1 = conv2d filters=2 kernel=3\nl1 = linear units=4\n"
                               "age = input channels=2\nboth = concat from=l1,age\nl2 = linear units=5\n"
                               "outputs = l1, l2\n[data]\nclasses = 4\n";
    stoa_recipe *recipe = load_good(text), *again = NULL;
    for (int time = 0; time < 2; time++) {
        stoa_model *model = NULL;
        stoa_port_info port;
        assert_int_equal(stoa_recipe_model(context, time ? again : recipe, &model), STOA_OK);
        assert_int_equal(stoa_model_output_size(model), 4);
        assert_true(stoa_model_input_at(model, 1, &port));
        assert_string_equal(port.name, "age");
        assert_true(stoa_model_output_at(model, 1, &port));
        assert_string_equal(port.name, "l2");
        assert_false(stoa_model_output_at(model, 2, &port));
        stoa_model_free(model);
        again = again ? again : load_good(stoa_recipe_text(recipe));
    }
    assert_int_equal(stoa_recipe_set(context, recipe, "model.outputs", "l1"), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context), "layer 'l2': no later layer reads its output");
    assert_int_equal(stoa_recipe_set(context, recipe, "model.outputs", "l2"), STOA_OK);
    stoa_recipe_free(recipe);
    stoa_recipe_free(again);
}

static void test_structure_refused(void **state) {
    (void)state;
    const stoa_status bad = STOA_ERR_ARGUMENT;
    assert_refused("", bad, "r.ini:1: found no section [model], expected one with input and layers");
    assert_refused("\n[data]\n\n", bad,
                   "r.ini:3: found no section [model], expected one with input and layers");
    assert_refused("[model]\n", bad, "r.ini:1: found no input in [model], expected input = 28x28x1 or such");
    assert_refused("[model]\ninput=1x1x4\n", bad,
                   "r.ini:2: found no layer in [model], expected NAME = OPERATOR OPTIONS");
    assert_refused("[model]\nr=relu\ninput=1x1x4\n", bad,
                   "r.ini:2: found 'r', expected input = HEIGHTxWIDTHxCHANNELS first");
    assert_refused(MODEL "input = 6x5x3\n", bad, "r.ini:6: input is there already, on line 2");
    assert_refused(MODEL "[data]\n[model]\n", bad, "r.ini:7: section [model] is there already, on line 1");
    assert_refused("[train]\n[train]\n" MODEL, bad, "r.ini:2: section [train] is there already, on line 1");
    assert_refused(
        MODEL "[Data]\n", bad,
        "r.ini:6: unknown section [Data], did you mean [data]? Expected [model], [data] or [train]");
    assert_refused(
        MODEL "[data]\nsize = 3\n", bad,
        "r.ini:7: unknown key 'size' in [data], expected set, classes, mean, deviation, "
        "normalize, label, task, target, "
        "normalize_targets, ignore, only, categories, dates, missing, unknown, header, layout, resize, "
        "test, split_seed, samples, memory, weights");
    assert_refused("epochs = 3\n" MODEL, bad,
                   "r.ini:1: unknown key 'epochs' before the first section, expected it in [train]");
    assert_refused("reaches = 99123456789 123456789 123456789 123456789 123456789 123456789\n" MODEL, bad,
                   "r.ini:1: reaches: found 61 bytes of text, expected at most 60");
    assert_refused(MODEL "[train]\nlr = 1\nseed = 3\nlr = 1\n", bad,
                   "r.ini:9: lr is there already, on line 7");
    assert_refused("title = a\ntitle = a\n" MODEL, bad, "r.ini:2: title is there already, on line 1");
    assert_refused(
        MODEL "x = relu\n[data]\nset = s\n", STOA_ERR_SHAPE,
        "r.ini:8: the last layer, 'x' on line 6, gives 4 values, expected 10, the classes of [data]");
    assert_refused(
        "[model]\ninput = 2x2x3\nc = conv2d filters=10 kernel=2\n[data]\nset = s\n", STOA_ERR_SHAPE,
        "r.ini:5: softmax_cross_entropy 'loss': found input of shape 1x1x10, expected a vector of a "
        "number a class");
    assert_refused(MODEL "# says why\nx = relu from=input\ny = relu\n", bad,
                   "r.ini:8: layer 'l1' on line 5: no later layer reads its output");
    assert_refused("title = a\nword\n" MODEL, STOA_ERR_FORMAT, "r.ini:2: found 'word', expected KEY = VALUE");
}

static void test_ports_refused(void **state) {
    (void)state;
    assert_refused(MODEL "outputs = l1, l2\n", STOA_ERR_ARGUMENT,
                   "r.ini:6: output 'l2': no layer 'l2' stands before it, expected one that has been added");
    assert_refused(MODEL "outputs = l1\noutputs = f\n", STOA_ERR_ARGUMENT,
                   "r.ini:7: outputs is there already, on line 6");
    assert_refused(MODEL "age = input channels=2\nl2 = relu from=l1\n", STOA_ERR_ARGUMENT,
                   "r.ini:7: input 'age' on line 6: no layer reads it");
    assert_refused("[model]\ninput = 1x1x2\nage = input channels=2\nl1 = linear units=2\n", STOA_ERR_ARGUMENT,
                   "r.ini:4: input 'input': no layer reads it");
    assert_refused("[model]\ninput = 1x1x2\n/l1 = linear units=2\n", STOA_ERR_ARGUMENT,
                   "r.ini:3: layer '/l1': expected a name of letters, digits, '_', '-' or '.'");
    assert_refused("[model]\ninput = 1x1x2\nl1 = linear units=2\nl2 = linear units=3\noutputs = l1, l2\n"
                   "[data]\nclasses = 3\n",
                   STOA_ERR_SHAPE, "r.ini:7: the first output, 'l1' on line 3, gives 2 values, expected 3");
}

static void test_values_refused(void **state) {
    (void)state;
    static const struct {
        const char *line, *sentence;
    } cases[] = {
        {"[data]\nset = ../x", "set: found '../x', expected a name of letters, digits, '_', '-' and '.'"},
        {"[data]\nset = ..", "set: found '..', expected a name of letters, digits, '_', '-' and '.'"},
        {"[data]\nset = a b", "set: found 'a b', expected a name of letters, digits, '_', '-' and '.'"},
        {"[data]\nclasses = 0", "classes: found '0', expected a number from 1 to 1000000"},
        {"[data]\nclasses = ten", "classes: found 'ten', expected a number from 1 to 1000000"},
        {"[data]\nmean = nan", "mean: found 'nan', expected a number from -1e+06 to 1e+06"},
        {"[data]\nmemory = 64", "memory: found '64', expected a number of bytes from 256K, such as 64M"},
        {"[data]\nmemory = M", "memory: found 'M', expected a number of bytes from 256K, such as 64M"},
        {"[data]\nmemory = 99999999999999999G",
         "memory: found '99999999999999999G', expected a number of bytes from 256K, such as 64M"},
        {"[data]\nmemory = 64MB", "memory: found '64MB', expected a number of bytes from 256K, such as 64M"},
        {"[data]\ndeviation = 0", "deviation: found '0', expected a number from 1e-06 to 1e+06"},
        {"[train]\nepochs = 0", "epochs: found '0', expected a number from 1 to 1000000"},
        {"[train]\nepochs = -1", "epochs: found '-1', expected a number from 1 to 1000000"},
        {"[train]\nbatch = 1.5", "batch: found '1.5', expected a number from 1 to 1000000"},
        {"[train]\nbatch = 99999999999999999999", "batch: found '99999999999999999999', expected"},
        {"[train]\nlr = 0", "lr: found '0', expected a number from 1e-30 to 1e+30"},
        {"[train]\nlr = -1e-3", "lr: found '-1e-3', expected a number from 1e-30 to 1e+30"},
        {"[train]\nlr = fast", "lr: found 'fast', expected a number from 1e-30 to 1e+30"},
        {"[train]\nlr = 0,1", "lr: found '0,1', expected a number from 1e-30 to 1e+30"},
        {"[train]\nseed = -1", "seed: found '-1', expected a whole number from 0"},
        {"[train]\nseed = 18446744073709551616", "seed: found '18446744073709551616', expected a whole"},
        {"[train]\noptimizer = adom", ""},
        {"[train]\noptimizer = adam beta3=1", ""},
        {"[train]\noptimizer = adam beta1=2", ""},
        {"[train]\noptimizer = sgd momentum=0.9 momentum=0.9", ""},
        {"[train]\nschedule = two_cycle", ""},
        {"[train]\nschedule = one_cycle warmup=x", ""},
        {"[train]\nloss = l3", ""},
        {"[train]\nloss = relu", ""},
        {"[train]\nclip_norm = -1", "clip_norm: found '-1', expected a number from 0 to 1e+09"},
        {"[train]\naverage = 1", "average: found '1', expected a number from 0 to 0.999999"},
        {"[train]\nvalidation = 1", "validation: found '1', expected a number from 0 to 0.9"},
        {"[train]\nkeep_best = yes", "keep_best: found 'yes', expected true or false"},
        {"[train]\nmonitor = test", "monitor: found 'test', expected loss, accuracy, rmse or f1"},
        {"[train]\naugment = spin=1",
         "augment: unknown option 'spin', expected shift, rotate, scale, shear, "},
        {"[train]\naugment = flip=2", "augment: option 'flip': found '2', expected a number from 0 to 1"},
        {"[train]\naugment = shift", "augment: found 'shift', expected OPTION=VALUE, such as units=10"},
        {"[train]\nschedule = step", "schedule step: option 'every' is missing"},
        {"[train]\nschedule = constant per=year",
         "schedule constant: option 'per': found 'year', expected step or epoch"},
        {"[train]\nschedule = cosine speed=2",
         "schedule cosine: unknown option 'speed', expected end, length, per, warmup, warmup_start"},
        {"[train]\nschedule = one_cycle warmup_start=0",
         "schedule one_cycle: unknown option 'warmup_start', did you mean 'warmup'? Expected warmup, start, "
         "end, per"},
        /* What one key needs of another. */
        {"[train]\npatience = 3", "patience: needs validation, the share of the training data held out"},
        {"[train]\nfreeze = c2", "freeze: found 'c2', expected names of layers such as c1, l1, f"},
        {"[train]\nfreeze = c1,l1", "freeze: found 'c1,l1', which are all layers with parameters, expected"},
        {"[train]\nlr_scale = l2=3", "lr_scale: found 'l2', expected names of layers such as l1, c1, f"},
        {"[train]\nlr_scale = l1=-3", "lr_scale: found 'l1=-3', expected LAYER=FACTOR with a factor above 0"},
        {"[train]\nschedule = plateau", "schedule plateau watches the validation loss: set validation"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        char begin[256];
        (void)snprintf(text, sizeof text, MODEL "%s\n", cases[i].line);
        (void)snprintf(begin, sizeof begin, "r.ini:7: %s", cases[i].sentence);
        assert_refused(text, STOA_ERR_ARGUMENT, begin);
        assert_true(strlen(stoa_context_error(context)) > strlen("r.ini:7: "));
    }
}

static void test_input_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"28x28", "28",     "28x28x1x1",   "0x28x1",           "28x-1x1",
                                      "x28x1", "28x28x", "28 x 28 x 1", "28x28x1073741825", "1073741824x2x1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[128];
        char begin[128];
        (void)snprintf(text, sizeof text, "\n[model]\ninput = %s\nr = relu\n", bad[i]);
        (void)snprintf(begin, sizeof begin, "r.ini:3: input: found '%s', expected ", bad[i]);
        assert_refused(text, STOA_ERR_ARGUMENT, begin);
    }
}

static void test_layers_refused(void **state) {
    (void)state;
    static const struct {
        const char *line;
        stoa_status status;
        const char *names; /* part of the sentence */
    } cases[] = {
        {"c2 = convd filters=1 kernel=1", STOA_ERR_ARGUMENT, "convd"},
        {"c2 = conv2d filters=1", STOA_ERR_ARGUMENT, "kernel"},
        {"c2 = conv2d filters=1 kernel=0", STOA_ERR_ARGUMENT, "'0'"},
        {"c2 = conv2d filters=1 kernel=1 kernel=1", STOA_ERR_ARGUMENT, "kernel"},
        {"c2 = conv2d filters=1 kernel=1 size=1", STOA_ERR_ARGUMENT, "size"},
        {"c2 = conv2d filters=1 kernel=7", STOA_ERR_SHAPE, "7x7"},
        {"c1 = relu", STOA_ERR_ARGUMENT, "c1"},
        {"a b = relu", STOA_ERR_ARGUMENT, "a b"},
        {"r = relu from=zz", STOA_ERR_ARGUMENT, "zz"},
        {"r = relu from=r", STOA_ERR_ARGUMENT, "'r'"},
        {"s = add from=c1", STOA_ERR_ARGUMENT, "add 's'"},
        {"s = add from=c1,input", STOA_ERR_SHAPE, "6x5x3"},
        {"x = softmax_cross_entropy", STOA_ERR_SHAPE, "softmax_cross_entropy"},
        {"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn = relu", STOA_ERR_ARGUMENT, "64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        (void)snprintf(text, sizeof text,
                       "[model]\ninput = 6x5x3\nc1 = conv2d filters=2 kernel=3\n%s\n[train]\nbad bad\n",
                       cases[i].line);
        assert_refused(text, cases[i].status, "r.ini:4: ");
        if (!strstr(stoa_context_error(context), cases[i].names)) {
            assert_string_equal(stoa_context_error(context), cases[i].names);
        }
    }
}

static void test_bytes_refused(void **state) {
    (void)state;
    stoa_recipe *recipe = NULL;
    assert_int_equal(load_bytes("[model]\n\0", 9, &recipe), STOA_ERR_FORMAT);
    assert_string_equal(stoa_context_error(context), "r.ini:2: found a control byte 0x00, expected text");
    size_t bytes = ((size_t)1 << 20) + 1;
    char *many = malloc(bytes);
    assert_non_null(many);
    memset(many, '\n', bytes);
    assert_int_equal(load_bytes(many, bytes, &recipe), STOA_ERR_FORMAT);
    assert_string_equal(stoa_context_error(context),
                        "r.ini:1: holds 1048577 bytes, at most 1048576 are read");
    assert_int_equal(stoa_recipe_load_memory(context, NULL, "x", 1, &recipe), STOA_ERR_FORMAT);
    assert_string_equal(stoa_context_error(context), "recipe:1: found 'x', expected KEY = VALUE");
    free(many);
    assert_null(recipe);
}

static void test_every_prefix(void **state) {
    (void)state;
    const char *text =
        "title=t\n" MODEL "[data]\nset=s\nclasses=4\n[train]\noptimizer=adam beta2=0.99\nlr=1e-3\n";
    for (size_t bytes = 0; bytes <= strlen(text); bytes++) {
        stoa_recipe *recipe = NULL;
        stoa_status status = load_bytes(text, bytes, &recipe);
        assert_true((status == STOA_OK) == (recipe != NULL));
        stoa_recipe_free(recipe);
    }
}

/* ---- what is said instead, and the whole as text ---- */

static void assert_set(stoa_recipe *recipe, const char *key, const char *value) {
    if (stoa_recipe_set(context, recipe, key, value) != STOA_OK) {
        fail_msg("%s = %s: %s", key, value, stoa_context_error(context));
    }
}

static void assert_set_refused(stoa_recipe *recipe, const char *key, const char *value, const char *begin) {
    char *before = strdup(stoa_recipe_text(recipe));
    assert_non_null(before);
    assert_true(stoa_recipe_set(context, recipe, key, value) != STOA_OK);
    if (strncmp(stoa_context_error(context), begin, strlen(begin)) != 0) {
        assert_string_equal(stoa_context_error(context), begin);
    }
    assert_string_equal(stoa_recipe_text(recipe), before);
    free(before);
}

/* Every key has a value in force, said or not. */
static void test_value(void **state) {
    (void)state;
    stoa_recipe *recipe = load_good(MODEL "[data]\nclasses = 4\n[train]\nlr = 3e-3\nfreeze = l1\n");
    assert_set(recipe, "train.batch", "7");
    static const struct {
        const char *section, *name, *value;
        bool said;
    } expected[] = {{"data", "classes", "4", true},
                    {"train", "lr", "3e-3", true},
                    {"train", "batch", "7", true},
                    {"train", "freeze", "l1", true},
                    {"train", "clip_norm", "0", false},
                    {"train", "optimizer", "adam", false},
                    {"train", "augment", "", false},
                    {"data", "header", "auto", false},
                    {"", "title", "", false}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const stoa_recipe_key key = {.section = expected[i].section, .name = expected[i].name};
        bool said = !expected[i].said;
        assert_string_equal(stoa_recipe_value(recipe, &key, &said), expected[i].value);
        assert_int_equal(said, expected[i].said);
        assert_string_equal(stoa_recipe_value(recipe, &key, NULL), expected[i].value);
    }
    stoa_recipe_key key;
    for (size_t i = 0; stoa_recipe_key_at(i, &key); i++) {
        assert_non_null(stoa_recipe_value(recipe, &key, NULL));
    }
    bool said = true;
    const stoa_recipe_key unknown[] = {{.section = "train", .name = "nothing"},
                                       {.section = "no", .name = "lr"},
                                       {.section = "model", .name = "l1"}};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        assert_null(stoa_recipe_value(recipe, &unknown[i], &said));
        assert_false(said);
    }
    stoa_recipe_free(recipe);
}

static void test_text(void **state) {
    (void)state;
    stoa_recipe *recipe =
        load_good("; about\n[train]\nseed=7 ; why\n[data]\nclasses = 4\nmemory = 3M\n" MODEL "\n");
    const char *text = MODEL "\n[data]\nclasses = 4\nmemory = 3M\n\n[train]\nseed = 7\n";
    assert_string_equal(stoa_recipe_text(recipe), text);
    stoa_recipe *again = load_good(text);
    assert_string_equal(stoa_recipe_text(again), text);
    stoa_recipe_free(recipe);
    stoa_recipe_free(again);
    /* A line of full length without spaces stays one that can be read. */
    char line[LONGEST_LINE + 1], whole[LONGEST_LINE + 128];
    memset(line, 'x', LONGEST_LINE);
    memcpy(line, "title=", 6);
    line[LONGEST_LINE] = '\0';
    (void)snprintf(whole, sizeof whole, "%s\n\n" MODEL, line);
    recipe = load_good(whole);
    assert_string_equal(stoa_recipe_text(recipe), whole);
    stoa_recipe_free(recipe);
    /* So does a value that would begin a comment behind a space. */
    recipe = load_good("title =#1\nneeds=;x\n" MODEL);
    assert_string_equal(stoa_recipe_text(recipe), "title=#1\nneeds=;x\n\n" MODEL);
    stoa_recipe_free(recipe);
}

static void test_set(void **state) {
    (void)state;
    stoa_recipe *recipe = load_good("title = a\n" MODEL "[train]\nlr = 1\noptimizer = adam\n");
    assert_set(recipe, "train.lr", "3e-3");
    assert_set(recipe, "optimizer", "sgd momentum=0.9");
    assert_set(recipe, "seed", "18446744073709551615");
    assert_set(recipe, "title", "b");
    assert_set(recipe, "keep_best", "true");
    assert_set(recipe, "validation", "0.25");
    assert_set(recipe, "data.classes", "3");
    assert_set(recipe, "data.layout", "nchw");
    assert_set(recipe, "model.l1", "linear units=3");
    assert_set(recipe, "model.input", "7x7x1");
    assert_string_equal(stoa_recipe_text(recipe),
                        "title = b\n\n[model]\ninput = 7x7x1\nc1 = conv2d filters=2 kernel=3\nf = flatten\n"
                        "l1 = linear units=3\n\n[data]\nclasses = 3\nlayout = nchw\n\n[train]\nlr = 3e-3\n"
                        "optimizer = sgd momentum=0.9\nseed = 18446744073709551615\nkeep_best = true\n"
                        "validation = 0.25\n");
    stoa_recipe_info info;
    stoa_recipe_describe(recipe, &info);
    assert_true(info.train.learning_rate == 3e-3F && info.train.seed == UINT64_MAX && info.train.keep_best);
    assert_string_equal(info.train.optimizer, "sgd momentum=0.9");
    assert_string_equal(info.title, "b");
    assert_true(info.data.height == 7 && info.data.channels == 1 && info.classes == 3);
    stoa_model *model = NULL;
    assert_int_equal(stoa_recipe_model(context, recipe, &model), STOA_OK);
    assert_int_equal(stoa_model_output_size(model), 3);
    assert_string_equal(stoa_model_fact(model, "data.layout"), "nchw");
    assert_string_equal(stoa_model_fact(model, "data.classes"), "3");
    stoa_model_free(model);
    stoa_recipe *again = load_good(stoa_recipe_text(recipe));
    assert_string_equal(stoa_recipe_text(again), stoa_recipe_text(recipe));
    stoa_recipe_free(again);
    stoa_recipe_free(recipe);
}

/* However many lines there are. */
static void test_set_in_long_recipes(void **state) {
    (void)state;
    for (size_t layers = 24; layers < 40; layers++) {
        char text[4096] = "title = a\n[model]\ninput = 1x1x2\n";
        for (size_t i = 0; i < layers; i++) {
            size_t used = strlen(text);
            (void)snprintf(text + used, sizeof text - used, "r%zu = relu\n", i);
        }
        stoa_recipe *recipe = load_good(text);
        assert_set(recipe, "title", "b");
        assert_set(recipe, "model.r7", "sigmoid");
        assert_non_null(strstr(stoa_recipe_text(recipe), "title = b\n"));
        assert_non_null(strstr(stoa_recipe_text(recipe), "r6 = relu\nr7 = sigmoid\nr8 = relu\n"));
        stoa_recipe_free(recipe);
    }
}

static void test_set_refused(void **state) {
    (void)state;
    stoa_recipe *recipe = load_good(MODEL "[data]\nclasses = 4\nmean = 0.5\n[train]\nlr = 1\n");
    static const struct {
        const char *key, *value, *sentence;
    } cases[] = {
        {"lr", "0", "lr: found '0', expected a number from 1e-30 to 1e+30"},
        {"train.lr", "x", "lr: found 'x', expected a number from 1e-30 to 1e+30"},
        {"train.optimizer", "adom", "unknown optimizer 'adom', did you mean 'adam'? Expected "},
        {"rate", "1", "unknown key 'rate', did you mean 'lr'? Expected one of a recipe, such as train.lr"},
        {"train.rate", "1", "unknown key 'rate' in [train], did you mean 'lr'? Expected epochs, "},
        {"tests.lr", "1", "unknown section 'tests', expected model, data, train"},
        {".lr", "1", "unknown section '', expected model, data, train"},
        {"title", " a", "title: found ' a', expected a value without white space around it"},
        {"title", "a #b", "title: found 'a #b', expected a value without white space around it"},
        {"title", "", "title: found no value, expected one behind the '='"},
        {"title", "a\n[train]", "title: found a control byte 0x0A, expected text"},
        {"data.set", "../x", "set: found '../x', expected a name of letters"},
        {"model.c9", "relu", "unknown layer 'c9', did you mean 'c1'? Expected one of the recipe's"},
        {"model.c1", "conv2d filters=2 kernel=9", "conv2d 'c1': "},
        {"model.c1", "conv3d", "layer 'c1': unknown operator 'conv3d'"},
        {"model.input", "6x5", "input: found '6x5', expected HEIGHTxWIDTHxCHANNELS, such as 28x28x1"},
        {"model.input", "2x2x1", "conv2d 'c1': "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_set_refused(recipe, cases[i].key, cases[i].value, cases[i].sentence);
    }
    char many[200];
    memset(many, 'x', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    assert_set_refused(recipe, "title", many, "title: found 199 bytes of text, expected at most 184");
    stoa_recipe_info info;
    stoa_recipe_describe(recipe, &info);
    assert_true(info.train.learning_rate == 1 && !info.train.optimizer && info.set[0] == '\0');
    /* What keys need of each other is checked when all are there. */
    stoa_model *model = NULL;
    assert_set(recipe, "patience", "3");
    assert_int_equal(stoa_recipe_model(context, recipe, &model), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context),
                        "patience: needs validation, the share of the training data held out");
    assert_set(recipe, "validation", "0.5");
    assert_set(recipe, "model.l1", "linear units=5");
    assert_int_equal(stoa_recipe_model(context, recipe, &model), STOA_ERR_SHAPE);
    assert_string_equal(stoa_context_error(context), "the last layer, 'l1' on line 5, gives 5 values, "
                                                     "expected 4, the classes of [data]: units=4 there, or "
                                                     "classes = 5 in [data]");
    assert_set(recipe, "classes", "5");
    assert_set(recipe, "normalize", "measured");
    assert_int_equal(stoa_recipe_model(context, recipe, &model), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context),
                        "mean is given on line 8, expected none with normalize = measured");
    assert_null(model);
    stoa_recipe_free(recipe);
}

static void test_files(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    stoa_recipe *recipe = NULL;
    const char *path = scratch_write(&scratch, "good.ini", MODEL, strlen(MODEL));
    assert_int_equal(stoa_recipe_load(context, path, &recipe), STOA_OK);
    stoa_recipe_free(recipe);
    recipe = NULL;
    path = scratch_write(&scratch, "bad.ini", "\nx", 2);
    char sentence[600];
    (void)snprintf(sentence, sizeof sentence, "%s:2: found 'x', expected KEY = VALUE", path);
    assert_int_equal(stoa_recipe_load(context, path, &recipe), STOA_ERR_FORMAT);
    assert_string_equal(stoa_context_error(context), sentence);
    path = scratch_path(&scratch, "none.ini");
    assert_int_equal(stoa_recipe_load(context, path, &recipe), STOA_ERR_NOT_FOUND);
    assert_true(strncmp(stoa_context_error(context), path, strlen(path)) == 0);
    assert_int_equal(stoa_recipe_load(context, scratch.folder, &recipe), STOA_ERR_IO);
    assert_null(recipe);
    scratch_close(&scratch);
}

int main(void) {
    if (stoa_context_create(NULL, &context) != STOA_OK) {
        return 99;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_said),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_measured),
        cmocka_unit_test(test_branches),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_ports_refused),
        cmocka_unit_test(test_structure_refused),
        cmocka_unit_test(test_values_refused),
        cmocka_unit_test(test_input_refused),
        cmocka_unit_test(test_layers_refused),
        cmocka_unit_test(test_bytes_refused),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_value),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_set_in_long_recipes),
        cmocka_unit_test(test_set_refused),
        cmocka_unit_test(test_files),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stoa_context_free(context);
    return failed;
}
