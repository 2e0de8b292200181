/* SPDX-License-Identifier: MIT */
/* The state of a training: saved after any step and loaded into another trainer, training goes on to the same
 * bits; and what does not fit is refused with nothing changed. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/stoa.h>
#include <string.h>

#include "state_subject.h"

enum { EPOCHS = 4, MOST_STATES = 64 };

/* A state as it was saved, and how much had been told by then. */
struct saved {
    void *data;
    size_t bytes, told, steps;
};

/* What a training leaves: a line an epoch, the states, the model's file. */
struct record {
    struct subject *subject;
    const struct saved *from; /* NULL: from the beginning */
    char told[8192];
    size_t length, count, limit; /* states; 0: as many as there are */
    struct saved states[MOST_STATES];
    void *model;
    size_t model_bytes;
};

static bool listen(void *user, const stoa_progress *p) {
    struct record *r = user;
    if (p->epoch_done) {
        r->length += (size_t)snprintf(
            r->told + r->length, sizeof r->told - r->length, "%zu %a %a %a %a %a %d %zu %d %a\n", p->epoch,
            p->train_loss, p->train_accuracy, p->validation_loss, p->validation_accuracy, p->test_loss,
            p->best, p->best_epoch, p->last, (double)p->learning_rate);
        assert_true(r->length < sizeof r->told);
    }
    return false;
}

static stoa_status begin(void *user, stoa_trainer *trainer) {
    const struct record *r = user;
    return r->from ? stoa_trainer_load_memory(trainer, r->from->data, r->from->bytes) : STOA_OK;
}

static bool keep_state(void *user, stoa_trainer *trainer, const stoa_progress *progress) {
    struct record *r = user;
    struct saved *s = &r->states[r->count++];
    stoa_trainer_info info;
    (void)progress;
    assert_true(r->count <= MOST_STATES);
    assert_int_equal(stoa_trainer_save_memory(trainer, &s->data, &s->bytes), STOA_OK);
    stoa_trainer_describe(trainer, &info);
    s->told = r->length;
    s->steps = info.steps;
    return r->limit > 0 && r->count == r->limit;
}

static void train(struct subject *subject, const stoa_train_options *options, const struct saved *from,
                  struct record *r) {
    *r = (struct record){.subject = subject, .from = from};
    const stoa_train_callbacks callbacks = {
        .user = r, .start = begin, .progress = listen, .checkpoint = keep_state, .checkpoint_steps = 1};
    assert_int_equal(
        stoa_train(subject->context, subject->model, subject->data, subject->data, options, &callbacks),
        STOA_OK);
    assert_int_equal(stoa_model_save_memory(subject->model, &r->model, &r->model_bytes), STOA_OK);
}

static void free_record(struct record *r) {
    for (size_t i = 0; i < r->count; i++) {
        stoa_buffer_free(r->subject->context, r->states[i].data, r->states[i].bytes);
    }
    stoa_buffer_free(r->subject->context, r->model, r->model_bytes);
}

/* From each state on: the lines that were still to come, the states that were, and the model. */
static void resume_everywhere(const char *what, const stoa_train_options *options) {
    static struct record whole, rest;
    struct subject first = open_subject(2, net, 1);
    train(&first, options, NULL, &whole);
    assert_true(whole.count >= EPOCHS);
    for (size_t i = 0; i < whole.count; i++) {
        const struct saved *from = &whole.states[i];
        struct subject other = open_subject(1 + i % 3, net, 2 + i);
        train(&other, options, from, &rest);
        if (strcmp(rest.told, whole.told + from->told) != 0) {
            fail_msg("%s, after step %zu: told\n%sexpected\n%s", what, from->steps, rest.told,
                     whole.told + from->told);
        }
        if (rest.model_bytes != whole.model_bytes ||
            memcmp(rest.model, whole.model, whole.model_bytes) != 0) {
            fail_msg("%s, after step %zu: another model", what, from->steps);
        }
        assert_int_equal(rest.count, whole.count - i - 1);
        for (size_t k = 0; k < rest.count; k++) {
            const struct saved *expected = &whole.states[i + 1 + k];
            assert_int_equal(rest.states[k].bytes, expected->bytes);
            assert_memory_equal(rest.states[k].data, expected->data, expected->bytes);
        }
        free_record(&rest);
        close_subject(&other);
    }
    free_record(&whole);
    close_subject(&first);
}

static const struct {
    const char *what;
    stoa_train_options options;
} cases[] = {
    {"adam", {.optimizer = "adam"}},
    {"adamw, one_cycle", {.optimizer = "adamw decay=0.1", .schedule = "one_cycle"}},
    {"sgd", {.optimizer = "sgd"}},
    {"momentum, cosine", {.optimizer = "sgd momentum=0.9", .schedule = "cosine warmup=3"}},
    {"nesterov", {.optimizer = "nesterov", .clip_norm = 0.1F, .in_order = true}},
    {"previous_gradient", {.optimizer = "previous_gradient", .clip_value = 0.01F}},
    {"rmsprop", {.optimizer = "rmsprop centred=true momentum=0.5"}},
    {"muon", {.optimizer = "muon decay=0.1", .average = 0.9F}},
    {"adagrad", {.optimizer = "adagrad lr_decay=0.01 initial=0.1"}},
    {"average", {.average = 0.9F}},
    {"augmentation", {.augment = "shift=1 rotate=10 noise=0.1 erase=0.5"}},
    {"plateau", {.schedule = "plateau patience=0 factor=0.5 threshold=0.5", .validation = 0.3F}},
    {"plateau of training", {.schedule = "plateau watch=training patience=0 threshold=1 cooldown=1"}},
    {"patient plateau",
     {.epochs = 6, .schedule = "plateau watch=training patience=1 factor=0.5 threshold=1"}},
    {"keep_best", {.validation = 0.3F, .stratified = true, .keep_best = true, .learning_rate = 0.1F}},
    {"keep_best and average",
     {.validation = 0.3F, .keep_best = true, .average = 0.9F, .monitor = "accuracy", .learning_rate = 0.1F}},
    {"early stopping",
     {.epochs = 9, .validation = 0.3F, .patience = 1, .min_delta = 0.05F, .learning_rate = 0.05F}},
    {"accumulate", {.accumulate = 3, .average = 0.5F, .augment = "shift=1"}},
    {"frozen", {.freeze = "a,b", .lr_scale = "f=0.5", .average = 0.9F, .clip_norm = 0.1F}},
    {"accumulate a sum", {.accumulate = 2, .summed = true, .optimizer = "sgd momentum=0.9"}},
};

static void goes_on_to_the_same_bits(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoa_train_options options = cases[i].options;
        options.epochs = options.epochs ? options.epochs : EPOCHS;
        options.batch = BATCH;
        options.seed = 11 + i;
        options.learning_rate = options.learning_rate > 0 ? options.learning_rate : 0.01F;
        resume_everywhere(cases[i].what, &options);
    }
}

/* More epochs than before, behind a training that has ended. */
static void takes_more_epochs(void **state) {
    (void)state;
    static struct record whole, part, rest;
    stoa_train_options options = {.epochs = EPOCHS, .batch = BATCH, .seed = 3, .average = 0.9F};
    struct subject a = open_subject(1, net, 1), b = open_subject(1, net, 1), c = open_subject(1, net, 5);
    train(&a, &options, NULL, &whole);
    options.epochs = 2;
    train(&b, &options, NULL, &part);
    options.epochs = EPOCHS;
    train(&c, &options, &part.states[part.count - 1], &rest);
    assert_int_equal(rest.model_bytes, whole.model_bytes);
    assert_memory_equal(rest.model, whole.model, whole.model_bytes);
    /* A training without an epoch left ends where it was. */
    struct subject d = open_subject(1, net, 6);
    struct record *none = &rest;
    free_record(&rest);
    train(&d, &options, &whole.states[whole.count - 1], none);
    assert_int_equal(none->count, 0);
    assert_int_equal(none->length, 0);
    assert_memory_equal(none->model, whole.model, whole.model_bytes);
    free_record(&whole);
    free_record(&part);
    free_record(none);
    close_subject(&a);
    close_subject(&b);
    close_subject(&c);
    close_subject(&d);
}

/* The step of the second epoch behind which the callback below stops. */
static size_t last_step;

/* A callback that stops leaves a state to go on from. */
static bool stop_in_the_middle(void *user, const stoa_progress *progress) {
    (void)listen(user, progress);
    return progress->epoch == 2 && progress->step == last_step && !progress->epoch_done;
}

static void stop_behind(size_t step) {
    static struct record whole, part, rest;
    char sentence[64];
    stoa_train_options options = {.epochs = 3, .batch = BATCH, .seed = 3};
    struct subject a = open_subject(1, net, 1), b = open_subject(1, net, 1), c = open_subject(2, net, 5);
    train(&a, &options, NULL, &whole);
    part = (struct record){.subject = &b};
    const stoa_train_callbacks callbacks = {
        .user = &part, .progress = stop_in_the_middle, .checkpoint = keep_state};
    last_step = step;
    assert_int_equal(stoa_train(b.context, b.model, b.data, b.data, &options, &callbacks),
                     STOA_ERR_CANCELLED);
    (void)snprintf(sentence, sizeof sentence, "cancelled in epoch 2 at step %zu", step);
    assert_string_equal(stoa_context_error(b.context), sentence);
    assert_int_equal(part.count, 2); /* of the first epoch and of the moment */
    train(&c, &options, &part.states[1], &rest);
    assert_memory_equal(rest.model, whole.model, whole.model_bytes);
    assert_string_equal(rest.told, whole.told + part.states[1].told);
    free_record(&whole);
    free_record(&part);
    free_record(&rest);
    close_subject(&a);
    close_subject(&b);
    close_subject(&c);
}

/* Behind the last step of an epoch the epoch is not done yet: it is not evaluated. */
static void saves_when_it_is_stopped(void **state) {
    (void)state;
    const size_t steps = (SAMPLES + BATCH - 1) / BATCH;
    stop_behind(3);
    stop_behind(steps);
}

/* ---- what is refused ---- */

static struct saved one_state(const stoa_train_options *options) {
    static struct record r;
    struct subject s = open_subject(1, net, 1);
    train(&s, options, NULL, &r);
    const struct saved *last = &r.states[r.count - 3];
    struct saved copy = *last;
    copy.data = malloc(last->bytes);
    assert_non_null(copy.data);
    memcpy(copy.data, last->data, last->bytes);
    free_record(&r);
    close_subject(&s);
    return copy;
}

/* Nothing of the model has changed when a state is refused. */
static void refuse(struct subject *s, const stoa_train_options *options, const struct saved *from,
                   stoa_status expected, const char *sentence) {
    static struct record r;
    void *before = NULL, *after = NULL;
    size_t bytes = 0;
    r = (struct record){.subject = s, .from = from};
    const stoa_train_callbacks callbacks = {.user = &r, .start = begin};
    assert_int_equal(stoa_model_save_memory(s->model, &before, &bytes), STOA_OK);
    stoa_status status = stoa_train(s->context, s->model, s->data, s->data, options, &callbacks);
    if (status != expected || !strstr(stoa_context_error(s->context), sentence)) {
        fail_msg("status %d: %s", (int)status, stoa_context_error(s->context));
    }
    assert_int_equal(stoa_model_save_memory(s->model, &after, &bytes), STOA_OK);
    assert_memory_equal(before, after, bytes);
    stoa_buffer_free(s->context, before, bytes);
    stoa_buffer_free(s->context, after, bytes);
}

static void names_what_has_changed(void **state) {
    (void)state;
    stoa_train_options options = {.epochs = EPOCHS, .batch = BATCH, .seed = 3, .optimizer = "adam"};
    struct saved saved = one_state(&options);
    struct subject s = open_subject(1, net, 7);
    stoa_train_options other = options;
    other.epochs = 2;
    refuse(&s, &other, &saved, STOA_ERR_ARGUMENT,
           "epochs: found 2, expected at least 3: so many are trained already");
    other = options;
    other.learning_rate = 0.5F;
    refuse(&s, &other, &saved, STOA_ERR_ARGUMENT,
           "train.lr: found '0.5', expected '0.001' as when it was saved");
    other = options;
    other.optimizer = "adam beta2=0.9";
    refuse(&s, &other, &saved, STOA_ERR_ARGUMENT, "train.optimizer: found 'adam beta2=0.9', expected 'adam'");
    other = options;
    other.augment = "shift=1";
    refuse(&s, &other, &saved, STOA_ERR_ARGUMENT, "train.augment: found 'shift=1', expected ''");
    other = options;
    other.validation = 0.5F;
    refuse(&s, &other, &saved, STOA_ERR_ARGUMENT, "train.validation: found '0.5', expected ''");
    other = options;
    other.freeze = "a";
    refuse(&s, &other, &saved, STOA_ERR_ARGUMENT, "train.freeze: found 'a', expected ''");
    other = options;
    other.lr_scale = "f=2";
    refuse(&s, &other, &saved, STOA_ERR_ARGUMENT, "train.lr_scale: found 'f=2', expected ''");
    close_subject(&s);

    const char *const another_net[] = {"conv2d filters=5 kernel=3 pad=1",
                                       "batchnorm",
                                       "relu",
                                       "maxpool2d size=2",
                                       "dropout p=0.5",
                                       "linear units=4",
                                       NULL};
    s = open_subject(1, another_net, 7);
    refuse(&s, &options, &saved, STOA_ERR_ARGUMENT,
           "layer 5 was 'e = dropout p=0.25' when it was saved, found 'e = dropout p=0.5'");
    close_subject(&s);

    s = open_subject(1, net, 7);
    assert_int_equal(stoa_dataset_normalize(s.data, 0.5F, 2), STOA_OK);
    refuse(&s, &options, &saved, STOA_ERR_ARGUMENT, "training data: found '59 samples of 8x8x1 in 4 classes");
    close_subject(&s);
    images[3]++;
    s = open_subject(1, net, 7);
    refuse(&s, &options, &saved, STOA_ERR_ARGUMENT, "training data: found '59 samples");
    close_subject(&s);
    images[3]--;
    labels[58]++;
    s = open_subject(1, net, 7);
    refuse(&s, &options, &saved, STOA_ERR_ARGUMENT, "training data: found '59 samples");
    close_subject(&s);
    labels[58]--;
    free(saved.data);
}

static void refuses_other_files(void **state) {
    (void)state;
    stoa_train_options options = {.epochs = EPOCHS, .batch = BATCH, .seed = 3, .average = 0.5F};
    struct saved saved = one_state(&options);
    struct subject s = open_subject(1, net, 7);
    struct saved model = {NULL, 0, 0, 0};
    assert_int_equal(stoa_model_save_memory(s.model, &model.data, &model.bytes), STOA_OK);
    refuse(&s, &options, &model, STOA_ERR_FORMAT, "found a model without a training's state");
    stoa_buffer_free(s.context, model.data, model.bytes);
    for (size_t bytes = 0; bytes < saved.bytes; bytes += 97) {
        const struct saved cut = {saved.data, bytes, 0, 0};
        refuse(&s, &options, &cut, STOA_ERR_FORMAT, "");
    }
    /* A damaged header never loads, and where it does not say so the numbers stay within the training. */
    char *copy = malloc(saved.bytes);
    char *steps;
    assert_non_null(copy);
    memcpy(copy, saved.data, saved.bytes);
    steps = memmem(copy, saved.bytes, "\\\"samples\\\":\\\"", 14);
    assert_non_null(steps);
    steps[14] = '7';
    refuse(&s, &options, &(struct saved){copy, saved.bytes, 0, 0}, STOA_ERR_FORMAT,
           "samples of an epoch of 59 trained, expected whole steps of 8");
    steps[14] = 'x';
    refuse(&s, &options, &(struct saved){copy, saved.bytes, 0, 0}, STOA_ERR_FORMAT,
           "its training has 'samples' as 'x");
    /* Nor does one with a bit that nothing else tells of, in its checksum, a tensor or the padding. */
    const size_t places[] = {8 + 29, saved.bytes / 2, saved.bytes - 1};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        memcpy(copy, saved.data, saved.bytes);
        copy[places[i]] ^= 1;
        refuse(&s, &options, &(struct saved){copy, saved.bytes, 0, 0}, STOA_ERR_FORMAT,
               "damaged: found bytes with the checksum ");
    }
    free(copy);
    free(saved.data);
    close_subject(&s);
}

/* A state is a model as well: that which is trained, under PyTorch's names beside it what Adam keeps. */
static void loads_as_a_model(void **state) {
    (void)state;
    stoa_train_options options = {.epochs = EPOCHS, .batch = BATCH, .seed = 3, .average = 0.5F};
    struct saved saved = one_state(&options);
    struct subject s = open_subject(1, net, 7);
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_load_memory(s.context, saved.data, saved.bytes, &model), STOA_OK);
    assert_int_equal(stoa_model_load_tensors_memory(s.model, saved.data, saved.bytes), STOA_OK);
    for (size_t i = 0; i < stoa_model_tensor_count(model); i++) {
        float a[1024], b[1024];
        stoa_tensor_info info;
        assert_int_equal(stoa_model_tensor(model, i, &info), STOA_OK);
        assert_true(info.count <= 1024);
        assert_int_equal(stoa_model_get_tensor(model, i, a, info.count), STOA_OK);
        assert_int_equal(stoa_model_get_tensor(s.model, i, b, info.count), STOA_OK);
        assert_memory_equal(a, b, info.count * sizeof *a);
    }
    static const char *const names[] = {"\"a.weight\"", "\"average.b.running_mean\"",
                                        "\"optimizer.state.a.weight.exp_avg\"",
                                        "\"optimizer.state.f.bias.exp_avg_sq\""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_non_null(memmem(saved.data, saved.bytes, names[i], strlen(names[i])));
    }
    stoa_model_free(model);
    free(saved.data);
    close_subject(&s);
}

int main(void) {
    make_images();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_to_the_same_bits), cmocka_unit_test(takes_more_epochs),
        cmocka_unit_test(saves_when_it_is_stopped), cmocka_unit_test(names_what_has_changed),
        cmocka_unit_test(refuses_other_files),      cmocka_unit_test(loads_as_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
