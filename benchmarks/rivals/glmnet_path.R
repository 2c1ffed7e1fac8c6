# Reads a matrix from binary files, times glmnet on it, writes the path back; prints seconds, CPU seconds and peak bytes (0: unknown).
# Arguments: folder, rows, columns, alpha (glmnet's mix), thresh, intercept (TRUE or FALSE), family.
suppressPackageStartupMessages({
  library(Matrix)
  library(glmnet)
})
given <- commandArgs(trailingOnly = TRUE)
folder <- given[1]
n <- as.integer(given[2])
p <- as.integer(given[3])
read <- function(name, kind, size) {
  file <- file.path(folder, name)
  readBin(file, kind, n = file.info(file)$size / size, size = size)
}
memory <- function(field) {
  if (!file.exists("/proc/self/status")) return(0)
  line <- grep(field, readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) * 1024
}
if (file.exists(file.path(folder, "i.bin"))) {
  X <- new("dgCMatrix", x = read("x.bin", "double", 8), i = read("i.bin", "integer", 4),
           p = read("p.bin", "integer", 4), Dim = c(n, p))
} else {
  X <- matrix(read("x.bin", "double", 8), n, p)
}
y <- read("y.bin", "double", 8)
lambda <- read("lambda.bin", "double", 8)
# The whole path is wanted: no early stop on the deviance explained.
glmnet.control(fdev = 0, devmax = 1, epsnr = min(1e-6, 100 * as.numeric(given[5])), mxitnr = 1000)
invisible(gc())
try(cat("5", file = "/proc/self/clear_refs"), silent = TRUE)  # lowers the recorded peak to what is held now
before <- memory("VmRSS")
times <- system.time(
  fit <- glmnet(X, y, family = given[7], alpha = as.numeric(given[4]), lambda = lambda, standardize = FALSE,
                intercept = as.logical(given[6]), thresh = as.numeric(given[5]), maxit = 1e8)
)
peak <- memory("VmHWM") - before
if (length(fit$lambda) != length(lambda)) stop("glmnet returned ", length(fit$lambda), " of ", length(lambda), " points")
beta <- as(fit$beta, "CsparseMatrix")
writeBin(beta@x, file.path(folder, "out_x.bin"))
writeBin(beta@i, file.path(folder, "out_i.bin"))
writeBin(beta@p, file.path(folder, "out_p.bin"))
writeBin(as.numeric(fit$a0), file.path(folder, "out_a0.bin"))
cpu <- times[["user.self"]] + times[["sys.self"]]
cat(sprintf("%.6f %.6f %.0f\n", times[["elapsed"]], cpu, peak))
