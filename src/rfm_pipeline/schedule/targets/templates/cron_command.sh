## The command of the crontab line, which `rfm schedule cron` joins into one line.
## - The lock prevents two runs at a time; the second one ends with exit code 0 or waits.
## - All output is appended to the log. If the run fails, the end of the log is also printed, so that cron mails it.
## - Debian's cron, among others, knows the machine's time zone only. For another zone the line starts every quarter
##   of an hour and compares the time in that zone.
__IF_ZONE__ if test "$(TZ=__ZONE__ date +%H:%M)" = __TIME__; then
cd __FOLDER__ && {
  __ASSIGNMENTS__ \
  __IF_SKIP__ flock --nonblock --conflict-exit-code 0 __LOCK__ \
  __IF_WAIT__ flock __LOCK__ \
  timeout --kill-after 60 __TIMEOUT_SECONDS__ \
  __COMMAND__ >>__LOG__ 2>&1 || tail -n 20 __LOG__;
__IF_MACHINE_ZONE__ }
__IF_ZONE__ }; fi
