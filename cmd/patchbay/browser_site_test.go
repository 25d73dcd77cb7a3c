package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/patchbay/patchbay/guest/image"
	"github.com/patchbay/patchbay/guest/kernel"
	"github.com/patchbay/patchbay/static"
)

// site is `patchbay serve` as people run it, on a state folder of its own: the
// real program, real racks, real guests.
type site struct {
	t     *testing.T
	exe   string // bin/patchbay, with guestd beside it
	state string
	cache string
	addr  string
	url   string
	out   *output
	cmd   *exec.Cmd
	ended chan error
}

// cacheFolder is where this machine's kernels and images lie.
func cacheFolder() (string, error) {
	if c := os.Getenv("PATCHBAY_CACHE"); c != "" {
		return c, nil
	}
	if os.Geteuid() == 0 {
		return "/var/cache/patchbay", nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "patchbay"), err
}

// missing says what an end-to-end test needs and this machine lacks.
func missing(cache string) error {
	_, kernelErr := kernel.Find(cache, "")
	_, imageErr := image.Find(cache, "")
	_, chromeErr := exec.LookPath(chromium)
	var bundleErr error
	if f, err := static.FS().Open("lab.js"); err != nil {
		bundleErr = errors.New("static/dist is empty: make bundle")
	} else {
		bundleErr = f.Close()
	}
	return errors.Join(kernelErr, imageErr, chromeErr, bundleErr)
}

const chromium = "/usr/bin/chromium"

// buildPrograms compiles patchbay and guestd into a folder.
func buildPrograms(t *testing.T, dir string) {
	t.Helper()
	for name, cgo := range map[string]string{"patchbay": "CGO_ENABLED=1", "guestd": "CGO_ENABLED=0"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), "../"+name)
		cmd.Env = append(os.Environ(), cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", name, err, out)
		}
	}
}

// newSite starts a server. What it started is gone when the test ends, and the
// test fails when it is not.
func newSite(t *testing.T) *site {
	t.Helper()
	cache, err := cacheFolder()
	if err == nil {
		err = missing(cache)
	}
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("no end-to-end test here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	buildPrograms(t, dir)
	s := &site{t: t, exe: filepath.Join(dir, "patchbay"), state: t.TempDir(), cache: cache, addr: "127.0.0.1:0"}
	t.Cleanup(s.cleanUp)
	s.start()
	return s
}

// start runs the server and waits until it answers.
func (s *site) start() {
	s.t.Helper()
	s.out = &output{}
	s.cmd = exec.Command(s.exe, "--state", s.state, "--cache", s.cache, "serve", "--listen", s.addr)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	cmd := s.cmd
	go func() { ended <- cmd.Wait() }() // awaited by kill
	s.ended = ended
	where := regexp.MustCompile(`(?m)^(http://([^/\s]+))/`)
	deadline := time.Now().Add(30 * time.Second)
	for {
		if m := where.FindStringSubmatch(s.out.String()); m != nil {
			s.url, s.addr = m[1], m[2]
			if c, err := net.Dial("tcp", s.addr); err == nil {
				c.Close()
				return
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the server does not start:\n%s", s.out)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// kill ends the server with a signal, and waits.
func (s *site) kill(sig syscall.Signal) {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Error(err)
	}
	if err := <-s.ended; err != nil && sig != syscall.SIGKILL {
		s.t.Errorf("the server ended with %v:\n%s", err, s.out)
	}
	s.cmd = nil
}

func (s *site) cleanUp() {
	if s.t.Failed() {
		s.t.Logf("what the server said:\n%s", s.out)
	}
	s.kill(syscall.SIGTERM)
	for _, dir := range racksIn(s.state) {
		if s.t.Failed() {
			if text, err := os.ReadFile(filepath.Join(dir, "rack.log")); err == nil {
				s.t.Logf("%s:\n%s", filepath.Base(dir), text)
			}
		}
		if out, err := exec.Command(s.exe, "--state", s.state, "stop", filepath.Base(dir)).CombinedOutput(); err != nil {
			s.t.Errorf("stopping a rack: %v\n%s", err, out)
		}
	}
	if left := processesOf(s.t, s.state); len(left) > 0 {
		s.t.Errorf("processes are left behind:\n%s", strings.Join(left, "\n"))
	}
}

func racksIn(state string) []string {
	all, _ := filepath.Glob(filepath.Join(state, "racks", "*", "rack.json")) // the pattern is in order
	for i := range all {
		all[i] = filepath.Dir(all[i])
	}
	return all
}

// processesOf lists what runs with a folder on its command line.
func processesOf(t *testing.T, folder string) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, f := range all {
		text, err := os.ReadFile(f)
		if err == nil && bytes.Contains(text, []byte(folder)) {
			left = append(left, string(bytes.ReplaceAll(text, []byte{0}, []byte{' '})))
		}
	}
	return left
}

const e2ePassword = "correct horse battery"

// newcomer opens a one-time link and chooses a password, which logs in.
func (s *site) newcomer(link string) *http.Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	resp, err := c.PostForm(link, url.Values{"password": {e2ePassword}, "again": {e2ePassword}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		s.t.Fatalf("choosing a password: %s\n%s", resp.Status, text)
	}
	return c
}

// api asks as whoever c is; out may be nil.
func (s *site) api(c *http.Client, method, path string, in, out any) {
	s.t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequest(method, s.url+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %v\n%s", method, path, resp.Status, err, answer)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			s.t.Fatalf("%s %s: %v\n%s", method, path, err, answer)
		}
	}
}

// admin is the admin, by the link that the first start printed.
func (s *site) admin() *http.Client {
	s.t.Helper()
	link := regexp.MustCompile(`http://\S+/link/\S+`).FindString(s.out.String())
	if link == "" {
		s.t.Fatalf("the first start prints no link:\n%s", s.out)
	}
	return s.newcomer(link)
}

// student makes a course with labs and a student in it.
func (s *site) student(admin *http.Client, login string, labs ...string) *http.Client {
	s.t.Helper()
	var course struct {
		JoinCode string `json:"join_code"`
	}
	s.api(admin, "POST", "/api/v1/courses", map[string]any{"title": "Networks", "labs": labs}, &course)
	var user struct{ Link string }
	s.api(admin, "POST", "/api/v1/users", map[string]any{"login": login, "role": "student"}, &user)
	c := s.newcomer(user.Link)
	s.api(c, "POST", "/api/v1/join", map[string]any{"code": course.JoinCode}, nil)
	return c
}

// page is a browser's tab.
type page struct {
	t   *testing.T
	s   *site
	ctx context.Context
}

// browse starts a browser. It is gone when the test ends.
func (s *site) browse() *page {
	s.t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(s.t.TempDir()), chromedp.WindowSize(1280, 800))
	allocator, end := chromedp.NewExecAllocator(context.Background(), opts...)
	s.t.Cleanup(end)
	ctx, _ := chromedp.NewContext(allocator)
	s.t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			s.t.Logf("ending the browser: %v", err)
		}
	})
	p := &page{t: s.t, s: s, ctx: ctx}
	p.do(chromedp.EmulateViewport(1280, 800))
	return p
}

// patience is how long a page may take for anything: a bound against hanging
// on a slow machine, no measure of anything.
const patience = 90 * time.Second

func (p *page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx); err != nil { // starts the browser, the first time
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.fail("%v", err)
	}
}

// fail ends the test and keeps what the page looked like.
func (p *page) fail(format string, args ...any) {
	p.t.Helper()
	if shot, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot()); err == nil {
		file := filepath.Join(p.t.ArtifactDir(), "failed.png")
		if err := os.WriteFile(file, shot, 0o644); err == nil {
			p.t.Logf("the page looked like %s (kept with go test -artifacts)", file)
		}
	}
	p.t.Fatalf(format, args...)
}

// eval gives the value of an expression in the page.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.fail("%s: %v", expression, err)
	}
	return v
}

// wait waits until an expression is true in the page. While a page is being
// loaded, expressions fail: that counts as false.
func (p *page) wait(what, expression string) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ok, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if ok && err == nil {
			return
		}
		if p.ctx.Err() != nil || time.Now().After(deadline) {
			text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.body.innerText`))
			p.fail("waiting for %s: %s is not true (%v)\nthe page says:\n%s", what, expression, err, text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// logIn goes through the form.
func (p *page) logIn(login string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.s.url+"/login"),
		chromedp.SendKeys(chromedp.CSS(`input[name=login]`), login),
		chromedp.SendKeys(chromedp.CSS(`input[name=password]`), e2ePassword),
		chromedp.Click(chromedp.CSS(`main button`)),
		chromedp.WaitVisible(chromedp.CSS(`form[action="/logout"]`)))
}

// text is what a node's first terminal has shown.
func (p *page) text(node string) string {
	p.t.Helper()
	return strings.TrimRight(eval[string](p, `patchbay.text("`+node+`")`), " \n")
}

// terminal puts a node's first terminal in front and waits for its prompt.
func (p *page) terminal(node string) {
	p.t.Helper()
	tab := `[role=tab][data-node="` + node + `"]`
	p.wait("the tab of "+node, `document.querySelector('`+tab+`')`)
	p.do(chromedp.Click(chromedp.CSS(tab)))
	p.wait("the prompt of "+node, `/[#$] ?$/.test(patchbay.text("`+node+`").trimEnd())`)
}

// say types a line as keystrokes into the terminal in front.
func (p *page) say(line string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(line + "\r"))
}

// running waits until all nodes of the lab run.
func (p *page) running() {
	p.t.Helper()
	p.wait("the page", `window.patchbay`)
	p.wait("all nodes running", `patchbay.state()?.nodes.every(n => n.status === "running")`)
}

// output is a bytes.Buffer for several goroutines.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
