/* Stateless operators on the caller's own buffers: to come through the same code that models run. Floor 5. */
#include "ops/op.h"
