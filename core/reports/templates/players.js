// Players in place of pictures: made for playing, and removed for the next. The page has `one` and `say`.

let players = []; // one, or those of a prompt's takes

function play(frame) {
  stop();
  players = [playerOf(frame)];
  players[0].autoplay = true;
  players[0].focus();
}

function playerOf(frame) {
  const player = document.createElement("video");
  Object.assign(player, { src: frame.href, controls: true, playsInline: true, className: "frame" });
  player.poster = one("img", frame)?.src ?? "";
  player.ariaLabel = frame.ariaLabel;
  player.addEventListener("error", complain);
  frame.hidden = true;
  frame.after(player);
  return player;
}

// Takes begin at the same moment, without sound, and follow the one that a person pauses, plays or moves in.
function playTogether(frames) {
  stop();
  const together = frames.map(playerOf);
  players = together;
  let waiting = together.length;
  const others = (one) => together.filter((player) => player !== one && players === together && !player.error);
  for (const player of together) {
    player.muted = true;
    player.preload = "auto";
    const ready = () => --waiting || others(null).forEach((each) => each.play().catch(() => {}));
    player.addEventListener("canplay", ready, { once: true });
    player.addEventListener("error", ready, { once: true });
    player.addEventListener("play", () => others(player).forEach((each) => each.ended || each.play().catch(() => {})));
    player.addEventListener("pause", () => player.ended || others(player).forEach((each) => each.pause()));
    player.addEventListener("seeked", () =>
      others(player).forEach((each) => {
        if (Math.abs(each.currentTime - player.currentTime) > 0.2) each.currentTime = player.currentTime;
      }),
    );
  }
}

function stop() {
  for (const player of players.splice(0)) {
    player.previousElementSibling.hidden = false;
    player.removeAttribute("src");
    player.load(); // lets go of what was loaded
    player.remove();
  }
}

function complain() {
  if (this.hasAttribute("src")) say(`This video cannot be played: ${decodeURIComponent(this.src)}`);
}

