package main_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// page is a browser's tab.
type page struct {
	t   *testing.T
	s   *site
	ctx context.Context

	mu     sync.Mutex
	errors []string // what the browser's console complains of
}

// browse starts a browser. It is gone when the test ends.
func (s *site) browse() *page {
	s.t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(s.t.TempDir()), chromedp.WindowSize(1280, 800),
		chromedp.Env("TMPDIR="+s.t.TempDir())) // it leaves folders behind
	allocator, end := chromedp.NewExecAllocator(context.Background(), opts...)
	s.t.Cleanup(end)
	ctx, _ := chromedp.NewContext(allocator)
	s.t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			s.t.Logf("ending the browser: %v", err)
		}
	})
	p := &page{t: s.t, s: s, ctx: ctx}
	if err := chromedp.Listen(ctx, p.note); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { // before the browser ends
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, e := range p.errors {
			s.t.Errorf("the browser's console: %s", e)
		}
	})
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

// note keeps what a person would see in red in the browser's console.
func (p *page) note(event any) {
	var text string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = "exception: " + e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type != "error" && e.Type != "assert" {
			return
		}
		text = "console." + string(e.Type)
		for _, a := range e.Args {
			text += fmt.Sprintf(" %s%s", a.Value, a.Description)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != "error" {
			return
		}
		text = fmt.Sprintf("%s (%s)", e.Entry.Text, e.Entry.URL)
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errors = append(p.errors, text)
}

// forgive forgets the complaints so far that match: those that the test is about.
func (p *page) forgive(pattern string) {
	re := regexp.MustCompile(pattern)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errors = slices.DeleteFunc(p.errors, re.MatchString)
}

// shot keeps what the page looks like, in artefacts.
func (p *page) shot(name string) {
	p.t.Helper()
	shot, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Errorf("taking a picture: %v", err)
		return
	}
	file := filepath.Join("../../artefacts", p.t.Name()+"-"+name+".png")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, shot, 0o644)); err != nil {
		p.t.Errorf("keeping a picture: %v", err)
	}
}

// fail ends the test and keeps what the page looked like.
func (p *page) fail(format string, args ...any) {
	p.t.Helper()
	p.shot("failed")
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
