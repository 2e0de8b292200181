/* SPDX-License-Identifier: MIT */
/* How a program gives the library its memory: hooks that count, and an arena of the program's own for a plan,
 * whose size is known before a byte is touched. */
#include <stdio.h>
#include <stdlib.h>
#include <stoa/stoa.h>

enum { BATCH = 8, FEATURES = 20, CLASSES = 5 };

struct account {
    size_t blocks, bytes, most;
};

static void *take(void *user, size_t bytes, size_t alignment) {
    struct account *account = user;
    void *memory = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (memory) {
        account->blocks++;
        account->bytes += bytes;
        account->most = account->bytes > account->most ? account->bytes : account->most;
    }
    return memory;
}

static void give_back(void *user, void *memory, size_t bytes) {
    struct account *account = user;
    account->blocks--;
    account->bytes -= bytes;
    free(memory);
}

static stoa_status run(stoa_context *context, stoa_model *model, const struct account *account, int *wrong) {
    stoa_model_input(model, 1, 1, FEATURES);
    stoa_model_add(model, "l1", "linear units=16");
    stoa_model_add(model, "r1", "relu");
    stoa_model_add(model, "l2", "linear units=5");
    stoa_model_add(model, "s1", "softmax");
    stoa_plan *plan = NULL;
    stoa_status status = stoa_model_build(model);
    if (status == STOA_OK) {
        status = stoa_model_init(model, 7);
    }
    if (status == STOA_OK) {
        status = stoa_plan_create(context, model, &(stoa_plan_options){.batch = BATCH}, &plan);
    }
    if (status != STOA_OK) {
        return status;
    }
    size_t before = account->bytes;
    void *arena = aligned_alloc(64, (stoa_plan_bytes(plan) + 63) / 64 * 64);
    status = arena ? stoa_plan_bind(plan, arena) : STOA_ERR_MEMORY;
    const float *output = NULL;
    if (status == STOA_OK) {
        for (int i = 0; i < BATCH * FEATURES; i++) {
            stoa_plan_input(plan)[i] = (float)(i % 7) / 7.0F;
        }
        status = stoa_plan_infer(plan, BATCH, &output);
    }
    for (int n = 0; status == STOA_OK && n < BATCH; n++) {
        float sum = 0;
        for (int c = 0; c < CLASSES; c++) {
            sum += output[n * CLASSES + c];
        }
        *wrong += !(sum > 0.999F && sum < 1.001F); /* probabilities; NaN is wrong too */
    }
    *wrong += account->bytes != before; /* the program's arena was enough */
    stoa_plan_free(plan);
    free(arena);
    return status;
}

int main(void) {
    struct account account = {0};
    const stoa_context_options options = {.allocator = {take, give_back, &account}};
    stoa_context *context;
    if (stoa_context_create(&options, &context) != STOA_OK) {
        return 1;
    }
    int wrong = 0;
    stoa_model *model = NULL;
    stoa_status status = stoa_model_create(context, &model);
    if (status == STOA_OK) {
        status = run(context, model, &account, &wrong);
    }
    if (status != STOA_OK) {
        fprintf(stderr, "%s: %s\n", stoa_status_text(status), stoa_context_error(context));
    }
    stoa_model_free(model);
    stoa_context_free(context);
    printf("at most %zu bytes, %zu blocks left, %d wrong\n", account.most, account.blocks, wrong);
    return status == STOA_OK && account.most > 0 && account.blocks == 0 && account.bytes == 0 && wrong == 0
               ? 0
               : 1;
}
