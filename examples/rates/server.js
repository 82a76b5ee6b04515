import { createApp } from './app.js';

const port = Number(process.env.PORT ?? 3000);
const server = createApp().listen(port, () => console.log(`rates listening on ${port}`));

process.on('SIGTERM', () => server.close());
