// One picture, enlarged, with its caption and cluster.

const LONGEST_CAPTION = 1200;

function shortened(text, longest) {
  if (text.length <= longest) return text;
  return `${text.slice(0, longest)}… (${text.length.toLocaleString('en-GB')} characters in all)`;
}

function showPicture(canvas, sheet, columns, sizePx, index) {
  const context = canvas.getContext('2d');
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = 'high';
  drawSprite(context, sheet, columns, sizePx, index, 0, 0, canvas.width);
}

class Card {
  constructor(data) {
    this.data = data;
    this.element = document.getElementById('card');
    this.ring = document.getElementById('ring');
    this.row = -1;
    this.isPinned = false;
  }

  show(row, isPinned) {
    const { data, element } = this;
    this.isPinned = isPinned;
    element.classList.toggle('pinned', isPinned);
    if (row !== this.row) {
      this.row = row;
      element.hidden = row < 0;
      if (row < 0) return;
      const enlarged = document.getElementById('enlarged');
      showPicture(enlarged, data.sprites, data.columns, data.spritePx, row);
      const caption = shortened(data.captions[row], LONGEST_CAPTION);
      document.getElementById('caption').textContent = caption || '(no caption)';
      const cluster = data.clusterOf[row];
      document.getElementById('cluster').textContent = cluster < 0
        ? 'in no cluster' : data.clusterNames[cluster];
    }
  }

  hide() { this.show(-1, false); }

  // A mark around the picture on the map, and the card beside it, inside the screen.
  place(camera, thumb) {
    this.ring.hidden = this.row < 0;
    if (this.row < 0) return;
    const { points } = this.data;
    const x = camera.toScreenX(points.x[this.row]) / camera.dpr;
    const y = camera.toScreenY(points.y[this.row]) / camera.dpr;
    const side = thumb ? (2 * thumb.half * camera.scale) / camera.dpr + 8 : 16;
    this.ring.classList.toggle('square', Boolean(thumb));
    this.ring.style.width = `${side}px`;
    this.ring.style.height = `${side}px`;
    this.ring.style.transform = `translate(${x - side / 2}px, ${y - side / 2}px)`;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const gap = 26;
    const left = x + gap + width < window.innerWidth ? x + gap : x - gap - width;
    const top = Math.min(Math.max(8, y - height / 2), window.innerHeight - height - 8);
    this.element.style.left = `${Math.max(8, left)}px`;
    this.element.style.top = `${top}px`;
  }
}
