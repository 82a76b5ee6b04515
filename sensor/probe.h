/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
 *
 * Exists to say what this kernel allows, before and after it refused something.
 */
#ifndef FIXPOINT_PROBE_H
#define FIXPOINT_PROBE_H

#include <stddef.h>
#include <stdio.h>

struct sensor_bpf;

/* JSON for `fixpoint doctor`; 0 if the sensor can run here, else 1. */
int probe_print(FILE *out);
/* One line per reason that the sensor cannot run here. */
void probe_explain(FILE *out);
/* The loaded sensor's optional parts, as words separated by spaces. */
void probe_features(struct sensor_bpf *bpf, char *out, size_t size);

#endif
