# sh rank.sh run ...: `deno run ...` as one of the processes that a launcher started, from within `deno task`. The task runner ends
# with a status where deno is killed, as it does after an error, and MPICH's launcher lets the others wait for ever then, between
# machines. So where deno ends before it said that the others know (SIGUSR1, see death.ts), the runner is killed, which a launcher sees.

deno=$(readlink "/proc/$PPID/exe" 2>/dev/null || ps -o comm= -p "$PPID") # it need not be on PATH
rank=${OMPI_COMM_WORLD_RANK:-${PMIX_RANK:-${PMI_RANK:-$SLURM_PROCID}}}
child= asked= known= how=
pass() {
  asked=$1
  [ -z "$child" ] || kill "-$1" "$child"
}
trap 'pass HUP' HUP
interrupt() { # a terminal sends it to deno, too, which a shell has start with it ignored
  case $(sed -n 's/^SigIgn:.*\(.\)$/\1/p' "/proc/$child/status" 2>/dev/null || ps -o ignored= -p "$child") in
    '' | *[2367abef]) pass TERM ;;
    *) asked=INT ;;
  esac
}
trap interrupt INT
trap 'pass TERM' TERM
trap 'known=yes' USR1

exec 3<&0 # in the background input would be /dev/null
ACE_RANK_SHELL=$$ "$deno" "$@" <&3 3<&- &
child=$!
[ -z "$asked" ] || kill "-$asked" "$child"
while wait "$child"; status=$?; kill -0 "$child" 2>/dev/null; do :; done # a signal interrupts wait
wait "$child" 2>/dev/null
last=$?
[ "$last" -eq 127 ] || status=$last # 127: it had been told

[ -n "$rank" ] && [ -z "$known" ] && [ "$status" -ne 0 ] || exit "$status"
if [ "$status" -lt 128 ]; then
  how="failed before it joined the others"
elif [ -z "$asked" ]; then
  how="died in the midst of the run"
fi
[ -z "$how" ] || echo "rank $rank (process $child on $(uname -n)) $how" >&2
sleep 1 # what was said is to pass the launcher first, as MPICH's throws away the rest
kill -KILL "$PPID"
