# The labelled weekly counts of the Robert Koch Institute in R's package surveillance (GPL-2; Debian: r-cran-surveillance),
# through `whatsdown score` and that package's own detectors:
#
#     Rscript benches/peers/rki.R [target/release/whatsdown]
#
# Each series has one labelled outbreak. Other weeks may hold outbreaks that nobody labelled, so that what is counted as
# an alarm elsewhere is not always a false one. Alarms in neighbouring weeks count once.

suppressMessages(library(surveillance))

words <- commandArgs(trailingOnly = TRUE)
program <- if (length(words) > 0) words[1] else "target/release/whatsdown"
names <- c("h1_nrwrp", "k1", "m1", "m2", "m3", "m4", "m5", "n1", "n2", "q1_nrwh", "q2", "s1", "s2", "s3")

# Each gives TRUE or FALSE for every week that it can judge, NA before that.
whatsdown <- function(series) {
  file <- tempfile(fileext = ".csv")
  weeks <- as.Date("2001-01-01") + 7 * (seq_along(series$observed) - 1)
  write.csv(data.frame(timestamp = weeks, value = as.vector(series$observed)), file, row.names = FALSE, quote = FALSE)
  scored <- read.csv(text = system2(program, c("score", file), stdout = TRUE))
  # As the others do, a week is in alarm as long as its score is, not only where the alarm begins.
  c(rep(NA, 12), scored$score[-(1:12)] >= 0.5)
}
judged <- function(series, range, detect) {
  alarms <- rep(NA, length(series$observed))
  found <- tryCatch(suppressWarnings(detect(disProg2sts(series), range)), error = function(error) NULL)
  if (!is.null(found)) alarms[range] <- as.vector(alarms(found))
  alarms
}
ears <- function(method, alpha = 0.001) function(series) judged(series, 12:209, function(sts, range)
  earsC(sts, control = list(method = method, range = range, alpha = alpha)))
farrington <- function(series) judged(series, 60:209, function(sts, range)
  farringtonFlexible(sts, control = list(range = range, b = 1, w = 3, noPeriods = 1, alpha = 0.01)))
glr <- function(series) judged(series, 53:209, function(sts, range)
  glrnb(sts, control = list(range = range, c.ARL = 5, dir = "inc")))

detectors <- list("whatsdown score" = whatsdown, "earsC C1" = ears("C1"), "earsC C2" = ears("C2"),
                  "earsC C2 (alpha = 1e-12)" = ears("C2", 1e-12),
                  "farringtonFlexible (b = 1, alpha = 0.01)" = farrington, "glrnb (c.ARL = 5)" = glr)

runs <- function(weeks) sum(diff(c(FALSE, weeks)) == 1)

cat("| detector | outbreaks that it could judge | found | median delay in weeks | weeks judged | alarms elsewhere |\n")
cat("|---|---|---|---|---|---|\n")
for (name in names(detectors)) {
  could <- 0; found <- 0; delays <- c(); weeks <- 0; elsewhere <- 0
  for (series in names) {
    data(list = series, envir = environment())
    series <- get(series)
    alarms <- detectors[[name]](series)
    outbreak <- series$state == 1
    first <- which(outbreak)[1]
    weeks <- weeks + sum(!is.na(alarms) & !outbreak)
    quiet <- alarms; quiet[outbreak | is.na(alarms)] <- FALSE
    elsewhere <- elsewhere + runs(quiet)
    if (is.na(alarms[first])) next
    could <- could + 1
    hit <- which(outbreak & alarms)
    if (length(hit) > 0) { found <- found + 1; delays <- c(delays, hit[1] - first) }
  }
  cat(sprintf("| %s | %d | %d | %s | %d | %d |\n", name, could, found,
              if (length(delays) > 0) format(median(delays)) else "", weeks, elsewhere))
}
