/* Template body, included once a variant at the end of sr_columns.tpl.h: check and transpose compressed matrices. */

static sr_status SR_FN(inspect)(const sr_compressed *A, Index *count, uint8_t *valued, uint8_t *major_valued,
                                sr_findings *found) {
    const Index *start = A->start, *stop = A->stop, *indices = A->indices;
    const Real *data = A->data;
    *found = (sr_findings){0, 0};
    for (int64_t i = 0; i < A->n_major; i++) {
        const int64_t begin = start[i], end = stop[i];
        int64_t last = -1, disorder = 0;
        int other = 0;
        found->bad = i;
        if (end < begin) return SR_BAD_INDEX;
        for (int64_t e = begin; e < end; e++) {
            const int64_t k = indices[e];
            found->bad = e;
            if (k < 0 || k >= A->n_minor) return SR_BAD_INDEX;
            disorder |= k <= last;
            last = k;
            if (count) count[k]++;
            if (data) {
                const double v = (double)data[e];
                if (v == 1.0) continue;
                if (!(v - v == 0.0)) return SR_NOT_FINITE;
                other = 1;
                if (valued) valued[k] = 1;
            }
        }
        found->disordered += disorder;
        if (major_valued) major_valued[i] = (uint8_t)other;
    }
    return SR_OK;
}

/* Each column is written from its own place on, and a processor waits for the lines of hundreds of places unless they
 * are fetched beforehand. */
SR_INLINE void SR_FN(transpose_kind)(const sr_compressed *A, int64_t first_major, Index *place, Index *out_indices,
                                     int64_t shift, int64_t index_end,
                                     Real *out_data, int64_t end, const int valued) {
    const Index *start = A->start, *stop = A->stop, *indices = A->indices;
    const Real *data = A->data;
    for (int64_t i = 0; i < A->n_major; i++) {
        if (i + 2 * SR_AHEAD < A->n_major) SR_PREFETCH(indices + start[i + 2 * SR_AHEAD]);
        for (int64_t e = start[i] + A->before; e < stop[i] - A->after; e++) {
            const Index to = place[indices[e]]++;
            if (!valued || to < index_end) {
                out_indices[to] = (Index)(first_major + i);
                SR_PREFETCH_NEXT(out_indices + to);
            }
            if (valued && to >= shift && to < end) {
                out_data[to - shift] = data[e];
                SR_PREFETCH_NEXT(out_data + (to - shift));
            }
        }
    }
}

static void SR_FN(transpose)(const sr_compressed *A, int64_t first_major, Index *place, Index *out_indices,
                             int64_t shift, int64_t index_end,
                             Real *out_data, int64_t end) {
    if (out_data) SR_FN(transpose_kind)(A, first_major, place, out_indices, shift, index_end, out_data, end, 1);
    else SR_FN(transpose_kind)(A, first_major, place, out_indices, shift, index_end, out_data, end, 0);
}

static void SR_FN(take_ends)(const sr_compressed *A, Real *out, int64_t stride) {
    const Index *start = A->start, *stop = A->stop;
    const Real *data = A->data;
    for (int64_t i = 0; i < A->n_major; i++) {
        const Real *first = data + start[i], *last = data + (stop[i] - A->after);
        if (A->before && i + 2 * SR_AHEAD < A->n_major) SR_PREFETCH(data + start[i + 2 * SR_AHEAD]);
        if (A->after && i + 2 * SR_AHEAD < A->n_major) SR_PREFETCH(data + (stop[i + 2 * SR_AHEAD] - 1));
        for (int64_t d = 0; d < A->before; d++) out[d * stride + i] = first[d];
        for (int64_t d = 0; d < A->after; d++) out[(A->before + d) * stride + i] = last[d];
    }
}
