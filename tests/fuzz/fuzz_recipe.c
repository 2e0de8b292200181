/* SPDX-License-Identifier: MIT */
/* libFuzzer target for recipes: any bytes as the text of one. What is refused names its line. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/recipe.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static stoa_context *context;

static void require(bool good) {
    if (!good) {
        abort();
    }
}

/* Its own text says the same, and gives the same text. */
static void read_again(const stoa_recipe *recipe) {
    const char *text = stoa_recipe_text(recipe);
    stoa_recipe *again = NULL;
    require(stoa_recipe_load_memory(context, "f", text, strlen(text), &again) == STOA_OK);
    require(strcmp(stoa_recipe_text(again), text) == 0);
    stoa_recipe_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    const stoa_context_options options = {.threads = 1};
    require(context || stoa_context_create(&options, &context) == STOA_OK);
    stoa_recipe *recipe = NULL;
    if (stoa_recipe_load_memory(context, "f", (const char *)data, bytes, &recipe) == STOA_OK) {
        stoa_recipe_info info;
        stoa_recipe_describe(recipe, &info);
        require(info.title && info.needs && info.reaches && info.set && info.classes > 0);
        read_again(recipe);
        stoa_recipe_free(recipe);
    } else {
        require(!recipe && strncmp(stoa_context_error(context), "f:", 2) == 0);
    }
    return 0;
}
