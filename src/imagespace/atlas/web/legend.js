// The clusters by size, with their marks; a click leaves only one of them lit.

function swatch(style, dpr) {
  const canvas = document.createElement('canvas');
  const side = Math.round(14 * dpr);
  canvas.width = side;
  canvas.height = side;
  const context = canvas.getContext('2d');
  const image = context.createImageData(side, side);
  const stamp = stampOf(style.shape, 4.6 * dpr);
  const middle = Math.floor(side / 2);
  stamp.cover.forEach((cover, k) => {
    const x = middle + stamp.dx[k];
    const y = middle + stamp.dy[k];
    if (x < 0 || y < 0 || x >= side || y >= side) return;
    image.data.set([...style.colour, Math.min(255, cover)], 4 * (y * side + x));
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

class Legend {
  constructor(data, styles, bySize, sizes, onChange) {
    this.cluster = null; // null: all of them; -1: the pictures in no cluster
    const list = document.getElementById('legend');
    const numAlone = data.clusterOf.reduce((num, cluster) => num + (cluster < 0), 0);
    const entries = bySize.map((cluster) => [cluster, data.clusterNames[cluster], sizes[cluster]]);
    if (numAlone) entries.push([-1, 'in no cluster', numAlone]);
    for (const [cluster, name, size] of entries) {
      const button = document.createElement('button');
      button.type = 'button';
      button.setAttribute('aria-pressed', 'false');
      const text = document.createElement('span');
      text.dir = 'auto';
      text.textContent = shortened(name, 60);
      const count = document.createElement('small');
      count.textContent = size.toLocaleString('en-GB');
      const style = styles[cluster < 0 ? styles.length - 1 : cluster];
      button.append(swatch(style, window.devicePixelRatio), text, count);
      button.addEventListener('click', () => {
        this.cluster = this.cluster === cluster ? null : cluster;
        for (const other of list.querySelectorAll('button')) {
          other.setAttribute('aria-pressed', String(other === button && this.cluster !== null));
        }
        onChange();
      });
      const item = document.createElement('li');
      item.append(button);
      list.append(item);
    }
  }
}
