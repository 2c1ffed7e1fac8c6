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

SR_INLINE void SR_FN(transpose_kind)(const sr_compressed *A, int64_t first_major, Index *place, Index *out_indices,
                                     int64_t shift, int64_t index_end,
                                     Real *out_data, int64_t end, const int valued) {
    const Index *start = A->start, *stop = A->stop, *indices = A->indices;
    const Real *data = A->data;
    for (int64_t i = 0; i < A->n_major; i++)
        for (int64_t e = start[i] + A->before; e < stop[i] - A->after; e++) {
            const Index to = place[indices[e]]++;
            if (to < index_end) out_indices[to] = (Index)(first_major + i);
            if (valued && to >= shift && to < end) out_data[to - shift] = data[e];
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

SR_INLINE void SR_FN(part_column)(const sr_row_parts *P, Index *rows, Real *values, int64_t n, int64_t j, Index *begin,
                                  double *sums) {
    const Index *place = P->place, *old = memcpy(P->rows, rows, (size_t)n * sizeof *rows);
    const Real *old_values = values ? memcpy(P->values, values, (size_t)n * sizeof *values) : NULL;
    int64_t *next = P->next;
    memset(next, 0, (size_t)(P->n_parts + 1) * sizeof *next);
    for (int64_t e = 0; e < n; e++) next[P->part[old[e]] + 1]++;
    for (int64_t k = 0; k < P->n_parts; k++) {
        begin[k * P->n_cols + j] += (Index)next[k];
        sums[k * P->n_cols + j] = 0.0;
        next[k + 1] += next[k];
    }
    for (int64_t e = 0; e < n; e++) {
        const Index i = old[e];
        const int64_t k = P->part[i], to = next[k]++;
        rows[to] = place[i];
        if (values) values[to] = old_values[e];
        sums[k * P->n_cols + j] += values ? P->v[i] * (double)old_values[e] : P->v[i];
    }
}

/* begin holds where each column begins, once for each part */
static void SR_FN(part_rows)(const sr_matrix *X, const sr_row_parts *P, Index *indices, Real *data, Index *begin,
                             double *sums) {
    for (int64_t j = 0; j < X->n_sparse; j++) {
        const int64_t first = ((const Index *)X->start)[j], n = ((const Index *)X->stop)[j] - first;
        Real *values = j < X->n_ones ? NULL : data + (first - X->data_shift);
        SR_FN(part_column)(P, indices + first, values, n, j, begin, sums);
    }
}
