// What wheel, fingers and keys do to the map.

const CLICK_PX = 5; // a press that moves less is a click
const KEY_PAN_PX = 110;

class Controls {
  constructor(map, atlas) {
    this.atlas = atlas;
    this.map = map;
    this.pointers = new Map();
    this.moved = 0;
    map.addEventListener('pointerdown', (event) => this.press(event));
    map.addEventListener('pointermove', (event) => this.move(event));
    map.addEventListener('pointerup', (event) => this.release(event, true));
    map.addEventListener('pointercancel', (event) => this.release(event, false));
    map.addEventListener('pointerleave', () => atlas.hover(-1));
    map.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    map.addEventListener('dblclick', (event) => (
      atlas.zoomAt(event.clientX, event.clientY, 2, true)
    ));
    window.addEventListener('keydown', (event) => this.key(event));
  }

  press(event) {
    this.map.classList.remove('keyboard');
    this.map.setPointerCapture(event.pointerId);
    if (!this.pointers.size) this.moved = 0;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.map.focus({ preventScroll: true });
  }

  move(event) {
    const { atlas, pointers } = this;
    const before = pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === 'mouse') atlas.hover(atlas.pick(event.clientX, event.clientY, 14));
      return;
    }
    const now = { x: event.clientX, y: event.clientY };
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, now);
    this.moved += Math.hypot(now.x - before.x, now.y - before.y);
    if (!other) {
      if (this.moved < CLICK_PX) return;
      this.map.classList.add('dragging');
      atlas.pan(now.x - before.x, now.y - before.y);
      return;
    }
    // Two fingers: the middle between them stays under it, their distance is the zoom.
    const spread = (a) => Math.max(20, Math.hypot(a.x - other.x, a.y - other.y));
    atlas.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    atlas.zoomAt((now.x + other.x) / 2, (now.y + other.y) / 2, spread(now) / spread(before), false);
  }

  release(event, isMeant) {
    const wasPressed = this.pointers.delete(event.pointerId);
    if (this.pointers.size) return;
    this.map.classList.remove('dragging');
    if (!wasPressed || !isMeant || this.moved >= CLICK_PX) return;
    const reach = event.pointerType === 'mouse' ? 14 : 24;
    this.atlas.pin(this.atlas.pick(event.clientX, event.clientY, reach));
  }

  wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    // A pinch on a touchpad arrives as a wheel with Ctrl, in much smaller amounts.
    const speed = event.ctrlKey ? 0.01 : 0.0016;
    const factor = Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) * speed);
    this.atlas.zoomAt(event.clientX, event.clientY, factor, false);
  }

  key(event) {
    const { atlas } = this;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') {
      atlas.escape();
      return;
    }
    if (event.target.closest?.('input, select, textarea')) return;
    if (event.target.closest?.('button') && (event.key === ' ' || event.key === 'Enter')) return;
    this.map.classList.add('keyboard');
    const pans = {
      ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1],
    };
    if (pans[event.key]) {
      const [x, y] = pans[event.key];
      atlas.glide(x * KEY_PAN_PX, y * KEY_PAN_PX);
    } else if (event.key === '+' || event.key === '=') atlas.zoomStep(1.5);
    else if (event.key === '-' || event.key === '_') atlas.zoomStep(1 / 1.5);
    else if (event.key === '0') atlas.goHome();
    else if (event.key === '/') document.getElementById('query')?.focus();
    else if (event.key === ' ') atlas.togglePlay();
    else if (event.key === 'x' && atlas.toggleStanding) atlas.toggleStanding();
    else if (event.key === 'Enter') atlas.pinMiddle();
    else return;
    event.preventDefault();
  }
}
