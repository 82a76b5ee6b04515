const { createApp } = require('./app');
const { Inbox } = require('./inbox');

const port = Number(process.env.PORT ?? 3000);
const server = createApp(new Inbox());

server.listen(port, () => console.log(`inbox listening on ${port}`));
process.on('SIGTERM', () => server.close());
