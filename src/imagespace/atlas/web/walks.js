// Walks over the map: where the clean picture that the model has in mind, x0_hat, lies at each step
// and, if asked for, where the walk itself stands, x_t. What is off the map is drawn where its
// nearest pictures lie: hollow, and dashed or dotted where either end of a line is off.

const ALL = -1;
const STEPS_PER_SECOND = 5;
const HEAD_PX = 72;
const TRAIL_PX = 26;
const FLOCK_PX = 18;
const STANDING = [150, 214, 255]; // the colour of x_t, which no time has
const OFF_MAP = 'farther from every real picture, or with more or less detail, than 99 % of them';

class Walks {
  constructor(walks, points) {
    Object.assign(this, walks);
    this.real = points;
    this.chosen = ALL;
    this.place = this.numSteps - 1; // a step, or between two of them while it plays
    this.isPlaying = false;
    this.isOpen = false;
    this.isStandingShown = false;
  }

  get step() { return Math.floor(this.place); }

  at(walk, step) { return walk * this.numSteps + step; }

  choose(walk) { this.chosen = walk; }

  seek(place) { this.place = Math.max(0, Math.min(this.numSteps - 1, place)); }

  play() {
    if (this.place >= this.numSteps - 1) this.seek(0);
    this.isPlaying = true;
  }

  advance(elapsedMs) {
    if (!this.isPlaying) return;
    this.seek(this.place + (elapsedMs / 1000) * STEPS_PER_SECOND);
    if (this.place >= this.numSteps - 1) this.isPlaying = false;
  }

  // Where a walk's head is now, between two steps while it moves; of x0_hat or of x_t.
  head(walk, isSmooth, { points: { x, y } } = this) {
    const low = this.at(walk, this.step);
    const high = this.at(walk, Math.min(this.step + 1, this.numSteps - 1));
    const way = isSmooth ? this.place - this.step : 0;
    return { x: x[low] + (x[high] - x[low]) * way, y: y[low] + (y[high] - y[low]) * way };
  }

  boxOf(walk) {
    const steps = Array.from({ length: this.numSteps }, (_, step) => this.at(walk, step));
    const shown = this.isStandingShown ? [this, this.standing] : [this];
    const xs = shown.flatMap(({ points }) => steps.map((k) => points.x[k]));
    const ys = shown.flatMap(({ points }) => steps.map((k) => points.y[k]));
    const [left, low] = [Math.min(...xs), Math.min(...ys)];
    return { x: left, y: low, width: Math.max(...xs) - left, height: Math.max(...ys) - low };
  }

  // Where a walk leads on the whole, of length 1; upwards if it leads nowhere.
  direction(walk) {
    const [first, last] = [this.at(walk, 0), this.at(walk, this.numSteps - 1)];
    const x = this.points.x[last] - this.points.x[first];
    const y = this.points.y[last] - this.points.y[first];
    const length = Math.hypot(x, y);
    return length > 0 ? [x / length, y / length] : [0, 1];
  }

  colour(step) {
    const first = this.times[0];
    const last = this.times[this.numSteps - 1];
    return timeColour(first === last ? 1 : (first - this.times[step]) / (first - last));
  }

  numOffMap({ isOffMap } = this) {
    let num = 0;
    for (let walk = 0; walk < this.num; walk++) num += isOffMap[this.at(walk, this.step)];
    return num;
  }

  // Both ends on the map or not, the segments of one step are one stroke. `places` are those of
  // x0_hat (the walks themselves) or of x_t.
  strokeStep(context, camera, { points: { x, y }, isOffMap }, step, walks, wantedOff) {
    context.beginPath();
    let num = 0;
    for (const walk of walks) {
      const from = this.at(walk, step);
      const isOff = isOffMap[from] || isOffMap[from + 1] ? 1 : 0;
      if (isOff !== wantedOff) continue;
      context.moveTo(camera.toScreenX(x[from]), camera.toScreenY(y[from]));
      context.lineTo(camera.toScreenX(x[from + 1]), camera.toScreenY(y[from + 1]));
      num++;
    }
    if (num) context.stroke();
  }

  strokeSteps(context, camera, places, walks, from, to, style) {
    const dash = places === this.standing ? [0.5, 4] : [4, 5];
    for (let step = from; step < to; step++) {
      context.strokeStyle = style(step);
      context.setLineDash([]);
      this.strokeStep(context, camera, places, step, walks, 0);
      context.setLineDash(dash.map((length) => length * camera.dpr));
      this.strokeStep(context, camera, places, step, walks, 1);
    }
    context.setLineDash([]);
  }

  // The ways so far. Of all walks, what the last steps have added is drawn over what is there.
  paint(context, camera, isAnew) {
    if (isAnew) this.painted = { step: 0 };
    context.lineCap = 'round';
    if (this.chosen === ALL) {
      const walks = [...Array(this.num).keys()];
      const [from, to] = [this.painted.step, this.step];
      context.lineWidth = 1.3 * camera.dpr;
      if (this.isStandingShown) {
        const pale = () => css(STANDING, 0.45);
        this.strokeSteps(context, camera, this.standing, walks, from, to, pale);
      }
      const colour = (step) => css(this.colour(step), 0.5);
      this.strokeSteps(context, camera, this, walks, from, to, colour);
    } else {
      if (this.isStandingShown) this.paintStanding(context, camera, this.chosen);
      this.paintOne(context, camera, this.chosen);
    }
    const { step, chosen, isStandingShown } = this;
    this.painted = { step, chosen, isStandingShown };
  }

  // What has changed since the last painting: 'nothing', 'more' (steps were added) or 'all'.
  get change() {
    const { step, chosen, isStandingShown } = this.painted ?? {};
    if (chosen !== this.chosen || isStandingShown !== this.isStandingShown) return 'all';
    if (step === this.step) return 'nothing';
    return chosen === ALL && step < this.step ? 'more' : 'all';
  }

  // A dot at each step so far, hollow off the map.
  paintDots(context, camera, { points: { x, y }, isOffMap }, walk, radiusPx, colourOf) {
    const { dpr } = camera;
    for (let step = 0; step <= this.step; step++) {
      const k = this.at(walk, step);
      context.beginPath();
      context.arc(camera.toScreenX(x[k]), camera.toScreenY(y[k]), radiusPx * dpr, 0, 7);
      context.fillStyle = css(isOffMap[k] ? GROUND : colourOf(step));
      context.fill();
      context.lineWidth = 0.5 * radiusPx * dpr;
      context.strokeStyle = css(isOffMap[k] ? colourOf(step) : GROUND);
      context.stroke();
    }
  }

  paintStanding(context, camera, walk) {
    context.lineWidth = 2 * camera.dpr;
    const colour = () => css(STANDING);
    this.strokeSteps(context, camera, this.standing, [walk], 0, this.step, colour);
    this.paintDots(context, camera, this.standing, walk, 3, () => STANDING);
  }

  paintOne(context, camera, walk) {
    const { dpr } = camera;
    const [now, last] = [this.step, this.numSteps - 1];
    context.lineWidth = 1.5 * dpr;
    const ahead = () => 'rgb(255 255 255 / 0.28)';
    this.strokeSteps(context, camera, this, [walk], 0, last, ahead);
    context.lineWidth = 6 * dpr;
    this.strokeSteps(context, camera, this, [walk], 0, now, () => css(GROUND, 0.8));
    context.lineWidth = 3 * dpr;
    this.strokeSteps(context, camera, this, [walk], 0, now, (k) => css(this.colour(k)));
    this.paintDots(context, camera, this, walk, 4, (step) => this.colour(step));
    // The trail: from the newest back, wherever one fits.
    const taken = [];
    const side = TRAIL_PX * dpr;
    for (let step = this.step - 1; step >= 0; step--) {
      const k = this.at(walk, step);
      const x = camera.toScreenX(this.points.x[k]);
      const y = camera.toScreenY(this.points.y[k]);
      const isCrowded = taken.some((other) => (
        Math.abs(other.x - x) < side * 1.35 && Math.abs(other.y - y) < side * 1.35
      ));
      if (isCrowded) continue;
      taken.push({ x, y });
      this.drawThumbnail(context, k, step, x - side / 2, y - side / 2, side, dpr);
    }
  }

  drawThumbnail(context, k, step, left, top, side, dpr) {
    const line = (side > 40 * dpr ? 2.5 : 1.5) * dpr;
    context.fillStyle = css(GROUND);
    context.fillRect(left - 2 * line, top - 2 * line, side + 4 * line, side + 4 * line);
    drawSprite(context, this.sprites, this.columns, this.spritePx, k, left, top, side);
    context.lineWidth = line;
    context.strokeStyle = css(this.colour(step));
    context.setLineDash(this.isOffMap[k] ? [3 * dpr, 3 * dpr] : []);
    context.strokeRect(left - line, top - line, side + 2 * line, side + 2 * line);
    context.setLineDash([]);
  }

  drawHeads(context, camera, isSmooth) {
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = 'medium';
    const { dpr } = camera;
    if (this.chosen === ALL) {
      const side = FLOCK_PX * dpr;
      for (let walk = 0; walk < this.num; walk++) {
        const head = this.head(walk, isSmooth);
        const x = camera.toScreenX(head.x) - side / 2;
        const y = camera.toScreenY(head.y) - side / 2;
        if (x < -side || y < -side || x > camera.width || y > camera.height) continue;
        const k = this.at(walk, this.step);
        // Many at once: no dashes, which are slow; off the map they are faint and without a frame.
        context.globalAlpha = this.isOffMap[k] ? 0.5 : 1;
        if (!this.isOffMap[k]) {
          context.fillStyle = css(this.colour(this.step));
          context.fillRect(x - 1.5 * dpr, y - 1.5 * dpr, side + 3 * dpr, side + 3 * dpr);
        }
        drawSprite(context, this.sprites, this.columns, this.spritePx, k, x, y, side);
      }
      context.globalAlpha = 1;
      return;
    }
    this.drawHead(context, camera, isSmooth);
  }

  drawHead(context, camera, isSmooth) {
    const { dpr } = camera;
    const k = this.at(this.chosen, this.step);
    if (this.isStandingShown) this.drawStandingHead(context, camera, isSmooth);
    const head = this.head(this.chosen, isSmooth);
    const x = camera.toScreenX(head.x);
    const y = camera.toScreenY(head.y);
    const nearX = camera.toScreenX(this.real.x[this.nearest[k]]);
    const nearY = camera.toScreenY(this.real.y[this.nearest[k]]);
    context.strokeStyle = 'rgb(255 255 255 / 0.85)';
    context.lineWidth = 1.5 * dpr;
    context.setLineDash([1 * dpr, 4 * dpr]);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(nearX, nearY);
    context.stroke();
    context.setLineDash([]);
    context.beginPath();
    context.arc(nearX, nearY, 7 * dpr, 0, 7);
    context.stroke();
    // The enlarged picture stands ahead of the walk, where it covers nothing of the way so far.
    const side = HEAD_PX * dpr;
    const [aheadX, aheadY] = this.direction(this.chosen);
    const reach = (0.5 * side) / Math.max(Math.abs(aheadX), Math.abs(aheadY)) + 20 * dpr;
    const [middleX, middleY] = [x + aheadX * reach, y - aheadY * reach];
    context.strokeStyle = css(this.colour(this.step));
    context.lineWidth = 2.5 * dpr;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(middleX, middleY);
    context.stroke();
    context.beginPath();
    context.arc(x, y, 5 * dpr, 0, 7);
    context.fillStyle = this.isOffMap[k] ? css(GROUND) : css(this.colour(this.step));
    context.fill();
    context.stroke();
    const [left, top] = [middleX - side / 2, middleY - side / 2];
    this.drawThumbnail(context, k, this.step, left, top, side, dpr);
  }

  drawStandingHead(context, camera, isSmooth) {
    const { dpr } = camera;
    const { x, y } = this.head(this.chosen, isSmooth, this.standing);
    const isOff = this.standing.isOffMap[this.at(this.chosen, this.step)];
    context.beginPath();
    context.arc(camera.toScreenX(x), camera.toScreenY(y), 6 * dpr, 0, 7);
    context.fillStyle = css(isOff ? GROUND : STANDING);
    context.fill();
    context.lineWidth = 2.5 * dpr;
    context.strokeStyle = css(STANDING);
    context.stroke();
  }
}

class WalksPanel {
  constructor(walks, data, onChange) {
    Object.assign(this, { walks, data, onChange, toldStep: null });
    const find = (id) => document.getElementById(id);
    this.play = find('play');
    this.scrub = find('scrub');
    this.select = find('prompt');
    this.scrub.max = walks.numSteps - 1;
    this.select.append(new Option(`All ${walks.num} walks`, ALL));
    walks.prompts.forEach((prompt, walk) => {
      const words = shortened(prompt, 70) || '(no prompt)';
      this.select.append(new Option(`${walk + 1}: ${words}`, walk));
    });
    this.select.addEventListener('change', () => {
      walks.choose(Number(this.select.value));
      this.onChange(true);
    });
    this.play.addEventListener('click', () => this.toggle());
    this.scrub.addEventListener('input', () => {
      walks.isPlaying = false;
      walks.seek(Number(this.scrub.value));
      this.onChange(false);
    });
    this.stands = find('stands');
    this.stands.addEventListener('change', () => {
      walks.isStandingShown = this.stands.checked;
      this.onChange(walks.chosen !== ALL); // one walk is shown whole, with this or without
    });
    const ramp = find('ramp');
    const context = ramp.getContext('2d');
    for (let x = 0; x < ramp.width; x++) {
      context.fillStyle = css(timeColour(x / (ramp.width - 1)));
      context.fillRect(x, 0, 1, ramp.height);
    }
    this.tell();
  }

  toggle() {
    if (this.walks.isPlaying) this.walks.isPlaying = false;
    else this.walks.play();
    this.onChange(false);
  }

  // Says where the walk is; cheap while nothing has changed.
  tell() {
    const { walks, data } = this;
    const find = (id) => document.getElementById(id);
    const now = `${walks.chosen} ${walks.step} ${walks.isPlaying} ${walks.isStandingShown}`;
    if (now === this.toldStep) return;
    this.toldStep = now;
    const { step } = walks;
    this.play.textContent = walks.isPlaying ? '❚❚' : '▶\uFE0E';
    this.play.setAttribute('aria-label', walks.isPlaying ? 'Pause the walk' : 'Play the walk');
    this.scrub.value = step;
    const time = walks.times[step].toFixed(2);
    find('step').textContent = `step ${step + 1} of ${walks.numSteps}, t ${time}`;
    this.scrub.setAttribute('aria-valuetext', `step ${step + 1} of ${walks.numSteps}`);
    const where = find('where');
    find('pair').hidden = walks.chosen === ALL;
    if (walks.chosen === ALL) {
      const off = walks.numOffMap();
      where.textContent = `${off} of ${walks.num} walks are off the map: ${OFF_MAP}.`;
      if (walks.isStandingShown) {
        where.textContent += ` Of where they stand, x_t, ${walks.numOffMap(walks.standing)} are.`;
      }
      where.classList.toggle('off', off > 0);
      return;
    }
    const k = walks.at(walks.chosen, step);
    showPicture(find('seen'), walks.sprites, walks.columns, walks.spritePx, k);
    const row = walks.nearest[k];
    showPicture(find('near'), data.sprites, data.columns, data.spritePx, row);
    const prompt = shortened(walks.prompts[walks.chosen], 300) || '(no prompt)';
    const caption = shortened(data.captions[row], 300) || '(no caption)';
    find('told').textContent = `Asked for: ${prompt}\n\nNearest: ${caption}`;
    where.textContent = walks.isOffMap[k]
      ? `Off the map: ${OFF_MAP}. Its place here is a guess.` : 'On the map.';
    if (walks.isStandingShown) {
      where.textContent += walks.standing.isOffMap[k]
        ? ' Where it stands, x_t, is off it: drawn where its nearest pictures lie.'
        : ' Where it stands, x_t, is on it too.';
    }
    where.classList.toggle('off', Boolean(walks.isOffMap[k]));
  }
}
