// Colours that any colour vision tells apart (after Okabe and Ito 2008), lifted for a dark ground.
// More clusters than colours repeat them with another shape; past all of these they are grey.

const GROUND = [12, 16, 23];
const COLOURS = [
  [86, 180, 233], [240, 165, 40], [38, 190, 140], [226, 140, 186],
  [238, 226, 90], [90, 130, 240], [238, 110, 50], [200, 180, 255],
];
const GREY = [138, 148, 164];
const SHAPES = ['disc', 'diamond', 'triangle', 'ring'];

function css([red, green, blue], alpha = 1) { return `rgb(${red} ${green} ${blue} / ${alpha})`; }

// The largest clusters take the first colours. The last style is that of no cluster.
function stylesOf(sizes) {
  const bySize = [...sizes.keys()].sort((a, b) => sizes[b] - sizes[a]);
  const styles = sizes.map(() => ({ colour: GREY, shape: 'disc' }));
  bySize.forEach((cluster, rank) => {
    if (rank >= COLOURS.length * SHAPES.length) return;
    styles[cluster] = {
      colour: COLOURS[rank % COLOURS.length],
      shape: SHAPES[Math.floor(rank / COLOURS.length)],
    };
  });
  styles.push({ colour: GREY, shape: 'disc' });
  return { styles, bySize };
}

function isInside(shape, x, y) {
  if (shape === 'diamond') return Math.abs(x) + Math.abs(y) < 1.2;
  if (shape === 'triangle') return y < 0.75 && Math.abs(x) < (y + 1.15) * 0.6;
  const distance = Math.hypot(x, y);
  return shape === 'ring' ? distance < 1.15 && distance > 0.6 : distance < 1;
}

// A dot as a few pixels: offsets from the middle and how much of each pixel is covered, of 256.
function stampOf(shape, radiusPx) {
  const reach = Math.ceil(radiusPx * 1.3);
  const fine = 6;
  const stamp = { reach, dx: [], dy: [], cover: [] };
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      let hits = 0;
      for (let k = 0; k < fine * fine; k++) {
        const x = dx - 0.5 + ((k % fine) + 0.5) / fine;
        const y = dy - 0.5 + (Math.floor(k / fine) + 0.5) / fine;
        if (isInside(shape, x / radiusPx, y / radiusPx)) hits++;
      }
      if (!hits) continue;
      stamp.dx.push(dx);
      stamp.dy.push(dy);
      stamp.cover.push(Math.round((256 * hits) / (fine * fine)));
    }
  }
  return stamp;
}

// Plasma (van der Walt and Smith 2015) without its darkest part: later steps are lighter, so that
// the order survives without colour too.
const TIME_STOPS = [
  [126, 92, 235], [171, 70, 205], [208, 76, 160], [233, 104, 112], [249, 148, 72], [250, 222, 90],
];

function timeColour(share) {
  const place = Math.max(0, Math.min(1, share)) * (TIME_STOPS.length - 1);
  const low = Math.min(TIME_STOPS.length - 2, Math.floor(place));
  return TIME_STOPS[low].map((channel, i) => (
    Math.round(channel + (TIME_STOPS[low + 1][i] - channel) * (place - low))
  ));
}
