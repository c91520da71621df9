# The harness for Scilab: a shell reads the order and answers, Scilab runs the script. `protocol.rs` says what is read and written;
# the comments here say why it is done so. What is run within Scilab is in scilab.sce, which is the first argument.
#
# Scilab is started before there is an order: it is what takes long.

# Neither Scilab nor the script get these: 3 and 4 are standard output and error.
exec 3>&1 4>&2
LC_ALL=C
here=$(pwd -P)
nl='
'
tab='	'
own=$here/.procos-scilab
trap : HUP INT TERM

# Scilab keeps its own files in its home. It reads nothing but the fifo until there is an order.
mkdir "$own" && mkfifo "$own/go" && printf '%s' "$1" >"$own/last.sce" || exit 1
# The script may clear what is in a variable, or set HOME.
case $own in
*[\'\"]*) text=$(printf '%s' "$own" | sed "s/['\"]/&&/g") ;;
*) text=$own ;;
esac
cat >"$own/main.sce" <<TEXT
mode(-1); lines(0);
if unix("echo ready; read order <""\$HOME/go""") <> 0 then exit(0); end
funcprot(0); procos_status = exec("$text/inputs.sce", "errcatch", -1); funcprot(1);
mputl(who("local"), "$text/before");
if procos_status == 0 then procos_status = exec("$text/script.sce", "errcatch", -1); end
procos_own = "$text/";
exec(procos_own + "last.sce", "errcatch", -1);
exit(0);
TEXT
# Where the system's own links to its libraries of linear algebra are not seen, as they lie in /etc.
for folder in /usr/lib/*/blas /usr/lib/*/lapack; do
  [ -d "$folder" ] && [ ! -d /etc/alternatives ] && LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder
done
[ "${LD_LIBRARY_PATH:-}" ] && export LD_LIBRARY_PATH
# Where it dies before it has an order, nobody is to wait for it.
{
  HOME=$own SCIHOME=$own LC_ALL=C.UTF-8 scilab-cli -nb -noatomsautoload -f "$own/main.sce" </dev/null 3>&- 4>&-
  status=$?
  [ -e "$own/ordered" ] || kill -KILL $$
  exit $status
} &

IFS= read -r mark || {
  # Nobody will write: Scilab ends. What stands by it looks for this mark once more, so that it stays until then.
  : >"$own/ordered"
  : >"$own/go"
  wait $!
  rm -rf "$own"
  exit 0
}
: >"$own/ordered"
IFS= read -r name && read -r script inputs files outputs variables || exit 1
list= asked= named=
while [ "$files" -gt 0 ]; do IFS= read -r line && list=$list$line$nl files=$((files - 1)) || exit 1; done
while [ "$outputs" -gt 0 ]; do IFS= read -r line && asked=$asked$line$nl outputs=$((outputs - 1)) || exit 1; done
while [ "$variables" -gt 0 ]; do IFS= read -r line && named=$named$line$nl variables=$((variables - 1)) || exit 1; done

# Without an end of its last line, Scilab looks for one for ever where that line is wrong.
{ { head -c "$script" && echo; } >"$own/script.sce" && head -c "$inputs" >"$own/inputs.sce" &&
  printf '%s' "$named" >"$own/variables" && printf '%s\n' "$name" >"$own/name"; } || {
  asked=
  answer ',"error":{"kind":"exit","message":"the script could not be written into its working directory"}'
}
write_files

echo >"$own/go"
wait $!
status=$?
cd -- "$here"
if [ -f "$own/answer" ]; then
  said=$(cat "$own/answer")
else
  said="exit status $status"
  if [ "$status" -gt 128 ] && signal=$(kill -l $((status - 128)) 2>/dev/null); then
    said="$said: by signal $((status - 128)) ($signal)"
  else
    said="$said: by exit, quit or abort; its result is what it leaves in variables"
  fi
  said=",\"error\":{\"kind\":\"exit\",\"message\":\"the script ended Scilab, $said\"}"
fi
rm -rf "$own"
answer "$said"
