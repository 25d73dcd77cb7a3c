// Command bundle turns the TypeScript in static/src and the style sheets in
// static/css into static/dist, which package static embeds. It installs the
// npm packages of the lock file, checks the types, bundles with esbuild and
// gathers the licences of what was bundled. What has not changed is not done
// again, so that it can stand before every build.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	dir := flag.String("dir", "static", "the folder with package.json, src and css")
	check := flag.Bool("check", true, "check the types with tsc before bundling")
	force := flag.Bool("force", false, "bundle even when nothing has changed")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	abs, err := filepath.Abs(*dir)
	if err == nil {
		b := bundler{dir: abs, check: *check, force: *force, out: os.Stderr, now: time.Now}
		err = b.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		stop()
		os.Exit(1)
	}
}
