package rack_test

var (
	inSRV = []string{"address", "route", "process", "socket", "command"}
	inAll = append([]string{"sysctl", "ospf"}, inSRV...)
)

// fakes is a program that says what each check wants to hear.
const fakes = `cat >/run/fake <<'END-OF-FAKE'
#!/bin/sh
case "${0##*/} $*" in
ip*addr*) echo '[{"ifname":"eth0","addr_info":[{"family":"inet","local":"10.0.2.81","prefixlen":24}]}]';;
ip*route*) echo '[{"dst":"10.9.0.0/16","gateway":"10.0.2.1","dev":"eth0"}]';;
sysctl*) echo 1;;
ss*) echo 'LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=7,fd=6))';;
ps*|pgrep*) echo '7 root nginx nginx';;
*) echo 'answer = 42';;
esac
END-OF-FAKE
chmod +x /run/fake; mount -o remount,exec /run 2>/dev/null
`

func cheatsInGuest() []cheat {
	both := func(script string) map[string]string { return map[string]string{"srv": script, "r1": script} }
	srv := func(script string) map[string]string { return map[string]string{"srv": script} }
	r1 := func(script string) map[string]string { return map[string]string{"r1": script} }
	anew := []string{"srv", "r1"}
	return []cheat{
		{name: "fake-programs", do: both(fakes + "for p in ip ss ps pgrep sysctl vtysh cat sh dash busybox; do f=$(command -v $p) && cp /run/fake $f.new && mv $f $f.real && mv $f.new $f; done; true"), again: anew, checks: inAll},
		{name: "programs-mounted-over", do: both(fakes + "for p in ip ss ps sysctl vtysh cat; do f=$(command -v $p) && mount --bind /run/fake $f; done; true"), again: anew, checks: inAll},
		{name: "preloaded-library", do: both("for f in /etc/ld.so.preload /usr/local/lib/evil.so; do echo /usr/local/lib/evil.so >$f; done; echo LD_PRELOAD=/usr/local/lib/evil.so >>/etc/environment"),
			again: anew, checks: inAll},
		{name: "replaced-loader", do: both(fakes + "l=$(readlink -f /lib64/ld-linux-x86-64.so.2); c=$(readlink -f /lib/x86_64-linux-gnu/libc.so.6); cp /run/fake $l.new; mount --bind /run/fake $c & mount --bind $l.new $l; true"), again: anew, checks: inAll},
		{name: "mounted-over-proc", do: both("mkdir -p /run/p/sys/net/ipv4 /run/p/7; echo 1 >/run/p/sys/net/ipv4/ip_forward; echo nginx >/run/p/7/comm; printf nginx >/run/p/7/cmdline; mount --bind /run/p /proc; mount -t tmpfs x /sys"), undo: both("umount /proc /sys"), checks: inAll},
		{name: "mounted-over-a-setting", do: r1("echo 1 >/run/one; mount --bind /run/one /proc/sys/net/ipv4/ip_forward"), undo: r1("umount /proc/sys/net/ipv4/ip_forward"), checks: []string{"sysctl"}},
		{name: "shared-mounts", do: both(behind("mount --make-rshared /; while :; do mount -t tmpfs x /proc; for d in /student /.image /.device; do mkdir -p $d && mount -t tmpfs x $d; done; sleep 0.05; umount /proc; done")), again: anew, checks: inAll},
		{name: "another-table", do: srv("ip route add 10.9.0.0/16 via 10.0.2.1 table 7; ip rule add to 10.99.0.0/16 table 7"), undo: srv("ip route flush table 7; ip rule del to 10.99.0.0/16 table 7"), checks: []string{"route"}},
		{name: "another-namespace", do: srv("ip netns add x; ip -n x link add eth0 type dummy; ip -n x link set eth0 up; ip -n x addr add 10.0.2.81/24 dev eth0; ip -n x route add 10.9.0.0/16 via 10.0.2.1; ip netns exec x nginx"),
			again: []string{"srv"}, checks: []string{"address", "route", "socket"}},
		{name: "another-interface", do: srv("ip link add d type dummy; ip link set d up; ip addr add 10.0.2.81/24 dev d; ip addr add 10.0.2.81/32 dev lo"), undo: srv("ip link del d; ip addr del 10.0.2.81/32 dev lo"), checks: []string{"address"}},
		{name: "renamed-process", do: srv(behind("exec bash -c 'exec -a nginx sleep 100'") + behind(`exec bash -c 'exec -a "nginx: master process" sleep 100'`)), checks: []string{"process"},
			trusting: nameOnly},
		{name: "process-of-that-name", do: srv(python(`
open('/proc/self/comm','w').write('nginx'); time.sleep(60)`)), checks: []string{"process"}, trusting: nameOnly},
		{name: "copied-program-of-that-name", do: srv("cp /usr/bin/sleep /usr/local/bin/nginx\n" + behind("exec /usr/local/bin/nginx 100")), undo: srv("rm /usr/local/bin/nginx"), checks: []string{"process"},
			trusting: nameOnly},
		{name: "only-the-socket", do: srv(python(`
open('/proc/self/comm','w').write('nginx')
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(('0.0.0.0',80)); s.listen(); time.sleep(60)`)), checks: []string{"socket"},
			trusting: nameOnly},
		{name: "listening-to-itself", do: srv("sed -i 's/listen 80 default_server/listen 127.0.0.1:80/; s/listen \\[::\\]:80.*//' /etc/nginx/sites-enabled/default; nginx"), again: []string{"srv"}, checks: []string{"socket"}},
		{name: "faked-routing-daemon", do: r1("rm -rf /run/frr; mkdir -p /run/frr\n" + python(`
def one(name):
    s=socket.socket(socket.AF_UNIX); s.bind('/run/frr/'+name+'.vty'); os.chmod('/run/frr/'+name+'.vty',0o777); s.listen()
    while True:
        c,_=s.accept()
        def talk(c):
            while c.recv(4096): c.send(b'{"neighbors":{"10.255.0.2":[{"nbrState":"Full/DR","state":"Full/DR","converged":"Full","address":"10.0.2.80","ifaceName":"eth1"}]}}\n\0\0\0\0')
        threading.Thread(target=talk,args=(c,)).start()
for n in ('zebra','ospfd','mgmtd','staticd'): threading.Thread(target=one,args=(n,)).start()
`)), again: []string{"r1"}, checks: []string{"ospf"}},
		{name: "guestd-traced", do: both(behind("exec strace -f -qq -o /dev/null -e inject=read:retval=0:when=9999 -p 1")), again: anew, checks: inAll},
		{name: "checking-program-traced", do: both(behind(`while :; do for p in /proc/[0-9]*; do case "$(readlink $p/exe 2>/dev/null)" in */ip|*/ss|*/ps|*/cat|*/sysctl|*/vtysh) strace -qq -o /dev/null -e inject=write:retval=1 -p ${p#/proc/} & esac; done; done`)), again: anew, checks: inAll},
		{name: "guestd-stopped", do: srv(behind("kill -STOP 1; kill -9 1; for t in /proc/1/task/*; do kill -STOP ${t##*/}; kill -9 ${t##*/}; done")), again: []string{"srv"}, checks: append([]string{"file"}, inSRV...)},
		{name: "frozen-group", do: srv("mkdir -p /run/cg; mount -t cgroup2 x /run/cg; mkdir /run/cg/f\n" + behind("sleep 0.3; echo 1 >/run/cg/f/cgroup.procs; echo 1 >/run/cg/f/cgroup.freeze") + "sleep 0.1"), again: []string{"srv"}, checks: []string{"address"}},
		{name: "limits-of-guestd", do: srv("prlimit --pid 1 --nofile=3:3 --nproc=1:1 --as=10000000:10000000"), again: []string{"srv"}, checks: inSRV},
		{name: "forged-results", do: srv(python(`
import zlib
def frame(kind,id,body,more=0):
    h=struct.pack('!BBBBIII',0xb7,0x50,kind,more,id,len(body),zlib.crc32(body)); return h+struct.pack('!I',zlib.crc32(h))+body
f=os.open('/dev/ttyS0',os.O_WRONLY|os.O_NOCTTY)
out=b'\1[{"ifname":"eth0","addr_info":[{"family":"inet","local":"10.0.2.81","prefixlen":24}]}]'
while True:
    b=b''
    for id in range(1,200): b+=frame(16,id,out,1)+frame(17,id,struct.pack('!IBI',0,0,0))
    os.write(f,b); time.sleep(.02)
`)), again: []string{"srv"}, checks: append([]string{"file"}, inSRV...)},
		{name: "line-flooded", do: srv(behind("exec cat /dev/zero >/dev/ttyS0")), again: []string{"srv"}, checks: []string{"file", "address"}},
		{name: "line-read-away", do: srv(behind("exec cat /dev/ttyS0 >/dev/null")), again: []string{"srv"}, checks: []string{"file", "address"}},
		{name: "changed-clock", do: both("date -s '2031-01-01' >/dev/null"), again: anew, checks: append([]string{"file", "persist"}, inAll...)},
		{name: "running-clock", do: srv(behind("while :; do date -s '2031-01-01'; date -s '2001-01-01'; done >/dev/null")), again: []string{"srv"}, checks: append([]string{"file"}, inSRV...)},
		{name: "no-processes-left", do: srv(behind("i=0; while [ $i -lt 600 ]; do sleep 100 & i=$((i+1)); done; wait")), again: []string{"srv"}, checks: append([]string{"file"}, inSRV...)},
		{name: "no-memory-left", do: srv(behind("echo -1000 >/proc/self/oom_score_adj; exec python3 -c 'x=[]\nwhile True: x.append(bytearray(1<<20))'")), again: []string{"srv"}, checks: append([]string{"file"}, inSRV...)},
		{name: "interpreter-of-programs", do: srv("modprobe binfmt_misc 2>/dev/null; mkdir -p /run/b; mount -t binfmt_misc x /run/b 2>/dev/null && printf '#!/bin/sh\necho answer = 42\n' >/run/fake && chmod +x /run/fake && printf ':x:M::\\x7fELF\\x02\\x01\\x01::/run/fake:' >/run/b/register; true"),
			again: []string{"srv"}, checks: []string{"address", "command"}},
		{name: "kernel-module", do: srv("head -c 100000 /dev/urandom >/run/m.ko; insmod /run/m.ko 2>/dev/null; kexec -l /run/m.ko 2>/dev/null; rm /run/m.ko"), undo: srv("true"), checks: inSRV},
		{name: "kernel's-memory", do: srv("dd if=/dev/zero of=/dev/mem bs=4k seek=200 count=1 2>/dev/null; dd if=/dev/zero of=/proc/kcore bs=4k count=1 2>/dev/null; true"), again: []string{"srv"}, checks: inSRV,
			trusting: "who writes the kernel's memory is the kernel"},
		{name: "guestd's-memory", do: srv(python(`
text=b'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:'; new=b'PATH=/run/fakes:'+b'/'*(len(text)-17)+b':'
os.makedirs('/run/fakes',exist_ok=True)
open('/run/fakes/cat','w').write('#!/bin/sh\necho answer = 42\n'); os.chmod('/run/fakes/cat',0o755)
f=open('/proc/1/mem','r+b',0)
for l in open('/proc/1/maps'):
    lo,hi=[int(x,16) for x in l.split()[0].split('-')]
    if 'r' not in l.split()[1] or hi-lo>1<<28: continue
    try:
        f.seek(lo); b=f.read(hi-lo); i=b.find(text)
        while i>=0: f.seek(lo+i); f.write(new); i=b.find(text,i+1)
    except OSError: pass
`)), again: []string{"srv"}, checks: []string{"command", "address", "file"}, trusting: "root can rewrite guestd itself, which asks for the check"},
	}
}

const nameOnly = "the kind asks for a name and a port; whether it serves is the wire's to tell"
