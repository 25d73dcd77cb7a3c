package sqlite_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs"
)

func TestUsers(t *testing.T) {
	ctx := context.Background()
	db := openNew(t)
	if n, err := db.CountUsers(ctx); n != 0 || err != nil {
		t.Errorf("CountUsers = %d, %v", n, err)
	}
	u := labs.User{Login: " Anna ", Name: "Anna  Ahlgren", Email: "anna@example.org", Role: labs.Admin}
	if err := db.CreateUser(ctx, &u, "phc"); err != nil {
		t.Fatal(err)
	}
	got, hash, err := db.UserByLogin(ctx, "ANNA ")
	if err != nil || got != u || hash != "phc" {
		t.Errorf("UserByLogin = %+v, %q, %v; want %+v", got, hash, err, u)
	}
	if got.Login != "anna" || got.Name != "Anna Ahlgren" || got.Epoch != 1 || time.Since(got.CreatedAt) > time.Minute {
		t.Errorf("stored: %+v", got)
	}
	if got, err := db.User(ctx, u.ID); err != nil || got != u {
		t.Errorf("User = %+v, %v", got, err)
	}

	_, err = db.User(ctx, 99)
	wantCode(t, err, labs.NotFound)
	_, _, err = db.UserByLogin(ctx, "nobody")
	wantCode(t, err, labs.NotFound)
	wantCode(t, db.SetPassword(ctx, 99, "x"), labs.NotFound)
	wantCode(t, db.UpdateUser(ctx, &labs.User{ID: 99, Login: "x", Role: labs.Student}), labs.NotFound)

	for _, bad := range []labs.User{
		{Login: "", Role: labs.Student}, {Login: "a b", Role: labs.Student}, {Login: "-x", Role: labs.Student},
		{Login: "b", Role: "root"}, {Login: "b", Name: "\x1b[31m", Role: labs.Student}, {Login: "b", Email: "x", Role: labs.Student},
	} {
		wantCode(t, db.CreateUser(ctx, &bad, ""), labs.Invalid)
	}
	wantCode(t, db.CreateUser(ctx, &labs.User{Login: "Anna", Role: labs.Student}, ""), labs.Conflict)

	bob := mustUser(t, db, "bob", labs.Student)
	users, err := db.Users(ctx)
	if err != nil || !slices.Equal(users, []labs.User{u, bob}) {
		t.Errorf("Users = %+v, %v", users, err)
	}
}

func TestUpdateUser(t *testing.T) {
	ctx := context.Background()
	db := openNew(t)
	anna, bob := mustUser(t, db, "anna", labs.Admin), mustUser(t, db, "bob", labs.Student)

	bob.Name = "Bob B."
	wantCode(t, db.UpdateUser(ctx, &bob), "")
	if bob.Epoch != 1 {
		t.Errorf("a new name ended sessions: epoch %d", bob.Epoch)
	}
	bob.Role = labs.Instructor
	wantCode(t, db.UpdateUser(ctx, &bob), "")
	bob.Disabled = true
	wantCode(t, db.UpdateUser(ctx, &bob), "")
	if got, err := db.User(ctx, bob.ID); err != nil || got != bob || got.Epoch != 3 {
		t.Errorf("after a new role and disabling: %+v, %v; want %+v with epoch 3", got, err, bob)
	}
	bob.Login = "anna"
	wantCode(t, db.UpdateUser(ctx, &bob), labs.Conflict)

	// The last admin stays one.
	for _, change := range []func(*labs.User){
		func(u *labs.User) { u.Role = labs.Student },
		func(u *labs.User) { u.Disabled = true },
	} {
		u := anna
		change(&u)
		wantCode(t, db.UpdateUser(ctx, &u), labs.Conflict)
	}
	if got, err := db.User(ctx, anna.ID); err != nil || got != anna {
		t.Errorf("the last admin is now %+v, %v", got, err)
	}
	mustUser(t, db, "carl", labs.Admin)
	anna.Role = labs.Student
	wantCode(t, db.UpdateUser(ctx, &anna), "")
}

func TestPasswords(t *testing.T) {
	ctx := context.Background()
	db := openNew(t)
	u := mustUser(t, db, "anna", labs.Student)
	_, secret, err := db.CreateLink(ctx, u.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, db.SetPassword(ctx, u.ID, "new"), "")
	got, hash, err := db.UserByLogin(ctx, "anna")
	if err != nil || hash != "new" || got.Epoch != 2 {
		t.Errorf("after SetPassword: hash %q, epoch %d, %v", hash, got.Epoch, err)
	}
	_, err = db.UserByLink(ctx, secret)
	wantCode(t, err, labs.NotFound)

	for _, step := range []struct{ old, hash, want string }{{"not this", "x", "new"}, {"new", "stronger", "stronger"}} {
		wantCode(t, db.RehashPassword(ctx, u.ID, step.old, step.hash), "")
		if got, hash, err := db.UserByLogin(ctx, "anna"); err != nil || hash != step.want || got.Epoch != 2 {
			t.Errorf("after RehashPassword from %q: hash %q, epoch %d, %v", step.old, hash, got.Epoch, err)
		}
	}
}

func TestLinks(t *testing.T) {
	ctx := context.Background()
	db := openNew(t)
	u := mustUser(t, db, "anna", labs.Student)
	_, first, err := db.CreateLink(ctx, u.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	link, second, err := db.CreateLink(ctx, u.ID, time.Hour)
	if err != nil || link.UserID != u.ID || !link.ExpiresAt.Equal(link.CreatedAt.Add(time.Hour)) {
		t.Fatalf("CreateLink = %+v, %v", link, err)
	}
	_, err = db.UserByLink(ctx, first)
	wantCode(t, err, labs.NotFound)
	for range 2 { // looking does not use it up
		if got, err := db.UserByLink(ctx, second); err != nil || got.ID != u.ID {
			t.Errorf("UserByLink = %+v, %v", got, err)
		}
	}

	var wg sync.WaitGroup
	codes := make(chan labs.Code, 10)
	for range cap(codes) {
		wg.Go(func() {
			_, err := db.UseLink(ctx, second, "hash")
			codes <- labs.CodeOf(err)
		})
	}
	wg.Wait()
	close(codes)
	n := 0
	for code := range codes {
		if code == "" {
			n++
		} else if code != labs.NotFound {
			t.Errorf("UseLink has code %s", code)
		}
	}
	if n != 1 {
		t.Errorf("the link worked %d times", n)
	}

	_, expired, err := db.CreateLink(ctx, u.ID, -time.Second)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.UseLink(ctx, expired, "hash")
	wantCode(t, err, labs.NotFound)

	_, secret, err := db.CreateLink(ctx, u.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	u.Disabled = true
	wantCode(t, db.UpdateUser(ctx, &u), "")
	_, err = db.UseLink(ctx, secret, "hash")
	wantCode(t, err, labs.NotFound)
	_, _, err = db.CreateLink(ctx, 99, time.Hour)
	wantCode(t, err, labs.NotFound)
}

func TestTokens(t *testing.T) {
	ctx := context.Background()
	db := openNew(t)
	u, other := mustUser(t, db, "anna", labs.Student), mustUser(t, db, "bob", labs.Student)
	tok, secret, err := db.CreateToken(ctx, u.ID, " backup script ", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := db.UserByToken(ctx, secret); err != nil || got != u {
		t.Errorf("UserByToken = %+v, %v", got, err)
	}
	list, err := db.Tokens(ctx, u.ID)
	if err != nil || len(list) != 1 || list[0].Name != "backup script" || list[0].LastUsed.IsZero() || !list[0].ExpiresAt.IsZero() {
		t.Errorf("Tokens = %+v, %v", list, err)
	}
	for _, s := range []string{"", "nonsense", secret + " "} {
		_, err := db.UserByToken(ctx, s)
		wantCode(t, err, labs.Unauthenticated)
	}
	_, _, err = db.CreateToken(ctx, u.ID, " ", time.Time{})
	wantCode(t, err, labs.Invalid)

	wantCode(t, db.DeleteToken(ctx, other.ID, tok.ID), labs.NotFound) // not theirs
	wantCode(t, db.DeleteToken(ctx, u.ID, tok.ID), "")
	_, err = db.UserByToken(ctx, secret)
	wantCode(t, err, labs.Unauthenticated)

	_, expired, err := db.CreateToken(ctx, u.ID, "old", time.Now().Add(-time.Second))
	wantCode(t, err, "")
	_, err = db.UserByToken(ctx, expired)
	wantCode(t, err, labs.Unauthenticated)

	tok, secret, err = db.CreateToken(ctx, u.ID, "x", time.Now().Add(time.Hour))
	wantCode(t, err, "")
	if list, err := db.Tokens(ctx, u.ID); err != nil || len(list) != 2 || list[0] != tok { // and the expired one
		t.Errorf("Tokens = %+v, %v; want %+v first, as CreateToken said", list, err, tok)
	}
	u.Disabled = true
	wantCode(t, db.UpdateUser(ctx, &u), "")
	_, err = db.UserByToken(ctx, secret)
	wantCode(t, err, labs.Unauthenticated)
}
